"""Mistakes that are drawn, in every kind of file: each is one line that names the file or key, and never a traceback.

A mistake is made in the text, as an editor's slip or a bad merge makes it, or in the values, as a wrong type does.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting import contract, loader, routing
from alerting.problems import RulesError
from dashboards import files
from dashboards.files import DashboardsError
from ops.capacity import prices, workload
from ops.drift import findings
from ops.errors import OpsError
from ops.queries import quiet_selectors
from policy import exceptions
from settings import parsing, stack_files
from settings.apps import DATA_SOURCES
from settings.stack_files import StackFileError
from settings.values import SECRETS
from tests.mock_engine import ROOT
from tests.rules import fixed_rules

Problems = Sequence[str]
CHANNELS = [*routing.load().secrets(), *SECRETS]
LONGEST = 2000
"""Characters of a line that a person still reads."""


class Kind(NamedTuple):
    """A kind of file that people write."""

    file: str
    """Path below the folder of a test."""
    problems: Callable[[Path], Problems]
    """Reads the files of that folder."""


def _rules(folder: Path) -> Problems:
    problems = [*loader.read(folder)[1]]
    for load in (routing.load, contract.load):
        try:
            load(folder)
        except RulesError as error:
            problems += error.problems
    return problems


def _stack(folder: Path) -> Problems:
    try:
        read = stack_files.read("dev", folder)
    except StackFileError as error:
        return str(error).splitlines()
    texts = {key: stack_files.as_text(value) for key, value in read.values.items()}
    return [*parsing.values(parsing.typed(texts), ())[1], *parsing.unknown(texts, CHANNELS)]


def _dashboards(folder: Path) -> Problems:
    try:
        files.load(DATA_SOURCES, folder / "boards", {"api": "API"})
    except DashboardsError as error:
        return error.problems
    return []


def _refused(load: Callable[[Path], object], file: str) -> Callable[[Path], Problems]:
    def problems(folder: Path) -> Problems:
        try:
            load(folder / file)
        except (OpsError, ValueError) as error:
            return str(error).splitlines()
        return []

    return problems


KINDS = [
    Kind("prometheus/orders.yaml", _rules),
    Kind("loki/search.yaml", _rules),
    Kind("slos/uploads.yaml", _rules),
    Kind("systems/orders.yaml", _rules),
    Kind("contract/api.yaml", _rules),
    Kind("routing.yaml", _rules),
    Kind("notifications.tmpl", _rules),
    Kind("Pulumi.dev.yaml", _stack),
    Kind("boards/api-observability.json", _dashboards),
    Kind("exceptions.yaml", _refused(lambda file: exceptions.load(file, rules=("agent-rule",)), "exceptions.yaml")),
    Kind("prices.yaml", _refused(prices.load, "prices.yaml")),
    Kind("workload.yaml", _refused(lambda file: workload.load("staging", file), "workload.yaml")),
    Kind("quiet_selectors.yaml", _refused(quiet_selectors.load, "quiet_selectors.yaml")),
    Kind("expected.yaml", _refused(findings.expected, "expected.yaml")),
]
SOURCES = {
    "contract/api.yaml": "rules/contract/api.yaml",
    "Pulumi.dev.yaml": "Pulumi.staging.yaml",
    "Pulumi.yaml": "Pulumi.yaml",
    "boards/api-observability.json": "dashboards/rendered/api-observability.json",
    "prices.yaml": "ops/capacity/prices.yaml",
    "workload.yaml": "ops/capacity/workload.yaml",
    "quiet_selectors.yaml": "ops/queries/quiet_selectors.yaml",
    "expected.yaml": "ops/drift/expected.yaml",
}
EXCEPTIONS = "- {rule: agent-rule, type: t, name: n, problem: p, reason: because it is needed here}\n"
WRONG: list[Any] = [None, True, 0, -1, 1e300, float("nan"), 10**400, "", "x", "{{", "a\nb", [], {}, [None], {"a": None}]
SLIPS = [
    "\t",
    " ",
    ":",
    "{",
    "}",
    "[",
    "'",
    '"',
    "{{",
    "- ",
    "&a ",
    "*a",
    "!!float ''",
    "\0",
    "<<<<<<< HEAD\n",
    "%",
    "\n",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a valid file of each kind; the dashboard's in a folder of its own."""
    folder = fixed_rules.copied(tmp_path_factory.mktemp("whole"))
    for made in ("contract", "boards"):
        (folder / made).mkdir()
    for name, source in SOURCES.items():
        shutil.copy(ROOT / source, folder / name)
    (folder / "exceptions.yaml").write_text(EXCEPTIONS)
    return folder


def problems_of(kind: Kind, folder: Path, content: bytes) -> Problems:
    """The problems of a folder whose file has this content, which is undone."""
    file = folder / kind.file
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        return kind.problems(folder)
    finally:
        file.write_bytes(before)


def is_one_line(problem: str, kind: Kind) -> None:
    """A line that names its file or key, which is short enough to read."""
    place = (Path(kind.file).name, "rules/", "observability:", "dashboards/rendered/", "alert ", "Pulumi.")
    assert problem.startswith(place), problem
    assert "\n" not in problem
    assert len(problem) < LONGEST, problem
    assert "object at 0x" not in problem


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
def test_the_whole_file_is_fine(kind: Kind, whole: Path) -> None:
    assert list(kind.problems(whole)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_slip_in_the_text(kind: Kind, whole: Path, data: st.DataObject) -> None:
    text = (whole / kind.file).read_text()
    place = data.draw(st.integers(0, len(text)))
    slip = data.draw(st.sampled_from([*SLIPS, "cut", "latin-1", "utf-16"]))
    content = {
        "cut": text[:place].encode(),
        "latin-1": (text[:place] + "é").encode("latin-1"),
        "utf-16": text.encode("utf-16"),
    }
    written = content.get(slip) or (text[:place] + slip + text[place:]).encode()
    for problem in problems_of(kind, whole, written):
        is_one_line(problem, kind)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not kind.file.endswith(".tmpl")], ids=lambda kind: kind.file
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_wrong_value(kind: Kind, whole: Path, data: st.DataObject) -> None:
    text = (whole / kind.file).read_text()
    is_json = kind.file.endswith(".json")
    document = json.loads(text) if is_json else yaml.safe_load(text)
    holder, key = data.draw(st.sampled_from(list(_places(document))))
    change = data.draw(st.sampled_from(["replaced", "removed", "renamed"]))
    if change == "replaced" or isinstance(holder, list):
        holder[key] = data.draw(st.sampled_from(WRONG))
    else:
        value = holder.pop(key)
        holder |= {} if change == "removed" else {f"{key}x": value}
    written = json.dumps(document) if is_json else yaml.safe_dump(document)
    for problem in problems_of(kind, whole, written.encode()):
        is_one_line(problem, kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
def test_a_file_without_the_right_to_read(kind: Kind, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read all files, so the refusal is simulated here; tests/engine/test_rights.py tries a real one."""

    def refusing(read: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(path: Path, *arguments: Any, **more: Any) -> Any:
            if path == whole / kind.file:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return read(path, *arguments, **more)

        return maybe

    for name in ("open", "read_bytes", "read_text"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != whole / kind.file and access(path, mode))
    (problem,) = kind.problems(whole)
    is_one_line(problem, kind)
    assert Path(kind.file).name in problem
    assert problem.endswith("cannot be read: Permission denied")


def _places(value: object) -> Any:
    items = cast(Any, value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def test_problems_of_all_files_are_told_in_one_round(whole: Path) -> None:
    """Also where one file hides what another one refers to: no second line blames the other."""
    edits = {
        "prometheus/orders.yaml": ("for: 5m", "for: 60"),
        "slos/uploads.yaml": ("objective: 99.9", "objective: 0.999"),
        "systems/search.yaml": ("title: Search", "title: ''"),
        "contract/api.yaml": ("type: counter", "type: meter"),
        "routing.yaml": ("group_by:", "group_bye:"),
        "notifications.tmpl": ("define", "defin"),
    }
    before = {name: (whole / name).read_text() for name in edits}
    page = whole / "runbooks/TargetDown.md"
    moved = page.rename(page.with_suffix(".away"))
    try:
        for name, (old, new) in edits.items():
            assert old in before[name], name
            (whole / name).write_text(before[name].replace(old, new, 1))
        found = _rules(whole)
    finally:
        moved.rename(page)
        for name, text in before.items():
            (whole / name).write_text(text)
    for name in edits:
        assert [line for line in found if line.startswith(f"rules/{name}")], (name, found)
    assert [line for line in found if "TargetDown: no runbook" in line]
    assert not [line for line in found if "no such" in line or "no system" in line], found
