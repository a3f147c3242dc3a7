"""Incidents of the past: today's rules and routes must tell of each in time, and not too often.

Each .yaml beside this file names a file that `make capture` wrote, and who must be told. docs/replay.md has the format.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.replay import capsule, deployed
from ops.replay.document import text
from ops.replay.episodes import SECOND
from ops.replay.incident import Incident
from ops.replay.incident_command import from_file
from settings.apps import LOKI_TENANT
from tests.mock_engine import ROOT
from tools.rule_tests.loki_server import loki

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.yaml"))
_INDEXED = ("namespace", "app", "service")
"""Labels of streams; all others of a captured line were structured metadata."""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Replayed"]:
    with ExitStack() as servers:
        yield Replayed(tmp_path_factory.mktemp("incidents"), servers)


class Replayed:
    """Replays each file once; a Loki runs for a file with log lines."""

    def __init__(self, folder: Path, servers: ExitStack) -> None:
        self._folder, self._servers = folder, servers
        self._found: dict[Path, Incident] = {}

    def __call__(self, file: Path) -> Incident:
        if file not in self._found:
            self._found[file] = self._replay(file)
        return self._found[file]

    def _replay(self, file: Path) -> Incident:
        wanted = yaml.safe_load(file.read_text())
        captured = FOLDER / wanted["captured"]
        lines, url = capsule.read(captured).lines, None
        if lines:
            server = self._servers.enter_context(loki(self._folder / file.stem, tenants=False))
            for line in lines:
                stream = {name: value for name, value in line.stream.items() if name in _INDEXED}
                more = {name: value for name, value in line.stream.items() if name not in _INDEXED}
                server.push(LOKI_TENANT, stream, [(line.at, line.text, more)])
            url = server.url
        return from_file(captured, commit(wanted["stack"]), loki=url)


@cache
def commit(stack: str) -> deployed.Deployed:
    return deployed.read(ROOT, stack, name="this checkout")


def problems(found: Incident, wanted: dict[str, Any]) -> Iterator[str]:
    """What the incident's file wants, and what is not so."""
    for one in wanted["told"]:
        messages = found.told(one["alert"], one["receiver"])
        by = datetime.fromisoformat(one["by"]).replace(tzinfo=UTC).timestamp() * SECOND
        who = f"{one['receiver']}, {one['alert']}"
        if not messages:
            yield f"{who}: is not told"
        elif messages[0].at > by:
            yield f"{who}: is told at {text(messages[0].at)}, not by {one['by']}"
        if len(messages) > one["at_most"]:
            yield f"{who}: is told {len(messages)} times, not at most {one['at_most']} times"
    firing = {episode.name for one in found.notifications for episode in one.firing}
    for name in sorted(firing & set(wanted.get("silent", ()))):
        yield f"{name}: is told, and should not be"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_an_incident_is_told(file: Path, replayed: Replayed) -> None:
    found = replayed(file)
    assert found.not_replayed == {}
    assert list(problems(found, yaml.safe_load(file.read_text()))) == []


def test_what_is_late_too_often_or_loud_is_a_problem(replayed: Replayed) -> None:
    file = FOLDER / "queue-stuck.yaml"
    first = yaml.safe_load(file.read_text())["told"][0]
    early, nobody, never = (
        {**first, "by": "2026-01-01T00:00:00"},
        {**first, "receiver": "nobody"},
        {**first, "at_most": 0},
    )
    shown = list(problems(replayed(file), {"told": [early, nobody, never], "silent": [first["alert"]]}))
    assert ["not by 2026" in shown[0], shown[1].endswith("is not told"), "not at most 0" in shown[2]] == [True] * 3
    assert shown[3] == f"{first['alert']}: is told, and should not be"
