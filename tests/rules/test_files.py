"""Files of the repository that are no plain text: one line each, without a traceback and without their content."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alerting import contract, loader, routing
from alerting.problems import RulesError
from dashboards import files as dashboard_files
from dashboards.files import DashboardsError
from tests.rules import fixed_rules

HUSH = "hush-hush-secret-value-1234"
# File -> what reads it from a folder of rules.
READERS: dict[str, Callable[[Path], object]] = {
    "prometheus/orders.yaml": loader.load,
    "loki/search.yaml": loader.load,
    "slos/uploads.yaml": loader.load,
    "systems/orders.yaml": loader.load,
    "contract/orders.yaml": contract.load,
    "routing.yaml": routing.load,
    "notifications.tmpl": routing.message_templates,
}


def _refused(file: str, folder: Path) -> tuple[str, ...]:
    with pytest.raises(RulesError) as refused:
        READERS[file](folder)
    return refused.value.problems


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = fixed_rules.copied(tmp_path / "rules")
    for file in READERS:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("content", [HUSH, f"{HUSH}: {HUSH}", f"[{HUSH}]"])
def test_a_link_is_refused_and_its_target_not_shown(file: str, content: str, rules: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(content)
    (rules / file).symlink_to(tmp_path / "secret")
    problems = _refused(file, rules)
    assert f"rules/{file}: is a symbolic link; allowed: a file" in problems
    assert HUSH not in str(problems)


@pytest.mark.parametrize("file", READERS)
def test_a_folder_and_another_encoding_are_one_line(file: str, rules: Path) -> None:
    (rules / file).mkdir()
    assert f"rules/{file}: cannot be read: Is a directory" in _refused(file, rules)
    (rules / file).rmdir()
    (rules / file).write_bytes("größe: 1".encode("latin-1"))
    assert [line for line in _refused(file, rules) if line.startswith(f"rules/{file}: not UTF-8: ")]


def test_a_whole_file_is_not_shown(rules: Path) -> None:
    (rules / "prometheus/orders.yaml").write_text(HUSH)
    problems = _refused("prometheus/orders.yaml", rules)
    assert "rules/prometheus/orders.yaml: (whole file): must be an object" in problems
    assert HUSH not in str(problems)


def test_dashboards_are_files_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(HUSH)
    folder = tmp_path / "rendered"
    folder.mkdir()
    (folder / "link.json").symlink_to(tmp_path / "secret")
    (folder / "latin.json").write_bytes('{"title": "größe"}'.encode("latin-1"))
    (folder / "folder.json").mkdir()
    (folder / "other.JSON").write_text("{}")
    with pytest.raises(DashboardsError) as refused:
        dashboard_files.load((), folder)
    named = [line.split(":")[0] for line in refused.value.problems]
    assert named == [f"dashboards/rendered/{name}" for name in ("other.JSON", "folder.json", "latin.json", "link.json")]
    assert HUSH not in str(refused.value)


STRAYS = ["extra.yml", "extra.YAML", "job queue.yaml", "größe.yaml", "team", "notes.txt"]


@pytest.mark.parametrize("part", ["prometheus", "loki", "slos", "systems", "contract"])
def test_what_would_not_be_read_is_refused(part: str, tmp_path: Path) -> None:
    folder = fixed_rules.copied(tmp_path / "rules")
    (folder / part).mkdir(exist_ok=True)
    for name in (*STRAYS, ".swap"):
        (folder / part / name).write_text("garbage: [")
    with pytest.raises(RulesError) as refused:
        (contract.load if part == "contract" else loader.load)(folder)
    assert {line.split(": is not read; allowed: ")[0] for line in refused.value.problems} >= {
        f"rules/{part}/{name}" for name in STRAYS
    }
    assert ".swap" not in str(refused.value)


@pytest.mark.parametrize("name", ["missing-metrics.yaml", "slos-uploads.yaml"])
def test_a_generated_files_name_is_taken(name: str, tmp_path: Path) -> None:
    """Otherwise the generated file would replace the written one, and its alerts would be gone."""
    folder = fixed_rules.copied(tmp_path / "rules")
    (folder / "prometheus/search.yaml").rename(folder / "prometheus" / name)
    with pytest.raises(RulesError, match=f"rules/prometheus/{name}: this name belongs to a generated file"):
        loader.load(folder)
