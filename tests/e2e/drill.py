"""Fires alerts in the running stack, each once in a session; every test that asks for them reads the same record."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.paths import ROOT
from ops.drills.stages import Stage
from tests.e2e.conftest import pods_stay

_ON = {stage.value for stage in (Stage.QUEUED, Stage.QUIET, Stage.FIRING)}
_NEWS = re.compile(r"\d+/\d+ (?P<alert>\w+): (?P<stage>.+)")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one run of `fire-alerts` left."""

    alerts: frozenset[str]
    code: int
    said: str
    report: dict[str, Any]
    """report.json; empty when it was not written."""
    page: str
    """report.html."""


_RECORDS: list[Record] = []


def record(alerts: Collection[str]) -> Record:
    """The record of a drill of these alerts, perhaps with others. Fails with all that the drill said when it failed."""
    found = next((one for one in _RECORDS if one.alerts >= set(alerts)), None)
    if found is None:
        found = _run(frozenset(alerts))
        _RECORDS.append(found)
    assert found.code == 0, found.said
    return found


def _run(alerts: frozenset[str]) -> Record:
    with TemporaryDirectory() as folder:
        report, page = Path(folder, "report.json"), Path(folder, "report.html")
        chosen = [argument for name in sorted(alerts) for argument in ("--alert", name)]
        options = ["--json", str(report), "--html", str(page), "--longest-window", "5m"]
        code, said = _followed([sys.executable, "-m", "ops", "fire-alerts", *options, *chosen], alerts)
        return Record(
            alerts=alerts,
            code=code,
            said=said,
            report=json.loads(report.read_text()) if report.is_file() else {},
            page=page.read_text() if page.is_file() else "",
        )


def _followed(command: list[str], alerts: frozenset[str]) -> tuple[int, str]:
    """Exit code and output. No pod is killed until every fault is over; the ends of the alerts do not need all pods."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    on, said = set(alerts), list[str]()
    with (
        pods_stay() as they_may_go,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            news = _NEWS.search(line)
            if news and news["stage"].strip() not in _ON:
                on.discard(news["alert"])
            if not on:
                they_may_go()
    return process.returncode, "".join(said)
