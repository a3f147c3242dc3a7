"""Fires alerts in the running stack once per session. All tests that need them read the same record."""

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

from alerting.loader import load
from local.paths import ROOT
from ops.drills.stages import Stage
from tests.e2e.conftest import pods_stay

_ON = {stage.value for stage in (Stage.QUEUED, Stage.QUIET, Stage.FIRING)}
# Loki's ruler does not know after a restart what fired before, so Alertmanager resolves the alert minutes later.
_ON_IN_LOKI = _ON | {Stage.RESOLVING.value}
_NEWS = re.compile(r"\d+/\d+ (?P<alert>\w+): (?P<stage>.+)")


@dataclass(frozen=True, kw_only=True)
class Record:
    """The results of one run of `fire-alerts`."""

    alerts: frozenset[str]
    code: int
    output: str
    report: dict[str, Any]
    """Content of report.json; empty if it was not written."""
    page: str
    """Content of report.html; empty if it was not written."""


_RECORDS: list[Record] = []


def record(alerts: Collection[str]) -> Record:
    """The record of a drill with these alerts, and perhaps others. If the drill failed, fails with its output."""
    found = next((one for one in _RECORDS if one.alerts >= set(alerts)), None)
    if found is None:
        found = _run(frozenset(alerts))
        _RECORDS.append(found)
    assert found.code == 0, found.output
    return found


def _run(alerts: frozenset[str]) -> Record:
    with TemporaryDirectory() as folder:
        report, page = Path(folder, "report.json"), Path(folder, "report.html")
        chosen = [argument for name in sorted(alerts) for argument in ("--alert", name)]
        options = ["--json", str(report), "--html", str(page), "--longest-window", "5m"]
        code, output = _followed([sys.executable, "-m", "ops", "fire-alerts", *options, *chosen], alerts)
        return Record(
            alerts=alerts,
            code=code,
            output=output,
            report=json.loads(report.read_text()) if report.is_file() else {},
            page=page.read_text() if page.is_file() else "",
        )


def _followed(command: list[str], alerts: frozenset[str]) -> tuple[int, str]:
    """Runs the drill; gives its exit code and output.

    Keeps other tests from killing pods until all faults are over, and alerts on log lines have resolved. While others
    resolve, pods may be killed again.
    """
    in_loki = {name for name, rule in load().rules().items() if rule.engine == "loki"}
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    on, output = set(alerts), list[str]()
    with (
        pods_stay() as release_pods,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            output.append(line)
            news = _NEWS.search(line)
            if news and news["stage"].strip() not in (_ON_IN_LOKI if news["alert"] in in_loki else _ON):
                on.discard(news["alert"])
            if not on:
                release_pods()
    return process.returncode, "".join(output)
