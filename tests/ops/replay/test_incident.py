"""An incident: what today's rules tell of recorded data, and the same from one captured file, without secrets."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.replay import capsule, deployed, incident
from ops.replay.capsule import Capsule, Line, Scrubber
from ops.replay.deployed import Deployed
from ops.replay.episodes import HOUR, MINUTE, SECOND
from ops.replay.evaluation import Sources
from ops.replay.incident import Incident
from ops.replay.incident_command import document, from_file
from tests.ops.conftest import Done
from tests.ops.replay.conftest import START, Recording
from tests.ops.review.edited import Copy

SINCE, UNTIL = START + 170 * MINUTE, START + 300 * MINUTE


@pytest.fixture(scope="module")
def commit(base: Copy) -> Deployed:
    return deployed.read(base.folder, "staging", name="base")


def told(found: Incident) -> list[tuple[float, str, str, tuple[str, ...]]]:
    """(minute, receiver, what, alerts) of each message."""
    return [((one.at - START) // MINUTE, one.receiver, what, one.names) for one, what in found.rows()]


def test_all_rules_are_evaluated_and_their_records_first(server: Recording, commit: Deployed) -> None:
    found = incident.replay(commit, Sources(prometheus=server.url), since=SINCE, until=UNTIL, before=HOUR)
    page = [one for one in told(found) if one[2] == "page"]
    # Its rule reads what was counted, which no server has recorded here.
    assert [(who, names) for _, who, _, names in page] == [("oncall-pagerduty", ("OrdersFailureRateHigh",))]
    assert 246 <= page[0][0] <= 248
    depth = [one for one in told(found) if one[3] == ("OrdersDepthHigh",) and one[1] == "orders-slack"]
    assert depth[0][0] == 182
    assert depth[0][2] == "firing"
    assert found.not_replayed == {}
    report = document(found, "staging", "base")
    assert set(report["first"]["OrdersFailureRateHigh"]) == {"orders-slack", "orders-webhook", "oncall-pagerduty"}
    assert json.loads(json.dumps(report)) == report


def test_a_captured_file_tells_the_same(server: Recording, logs: str, commit: Deployed, tmp_path: Path) -> None:
    sources = Sources(prometheus=server.url, loki=logs)
    here = incident.replay(commit, sources, since=SINCE, until=UNTIL, before=HOUR)
    found = capsule.capture(commit, sources, since=SINCE, until=UNTIL, before=HOUR)
    file = tmp_path / "captured.json.gz"
    assert capsule.write(found, file) < 100_000
    assert capsule.read(file) == found
    assert {line.text for line in found.lines} == {"fails"}
    assert len(found.lines) == 40
    assert "ALERTS" not in found.samples
    assert "depth{" not in found.samples.replace("orders_queue_depth{", "")
    assert told(from_file(file, commit, loki=logs)) == told(here)


def test_the_commands_write_a_file_and_a_document(
    ops: Callable[..., Done], server: Recording, logs: str, tmp_path: Path
) -> None:
    since, until = (datetime.fromtimestamp(at / SECOND, UTC).isoformat() for at in (SINCE, UNTIL))
    file, servers = tmp_path / "captured.json.gz", ("--prometheus", server.url, "--loki", logs)
    done = ops("capture", "--stack", "staging", "--from", since, "--until", until, *servers, "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert "Read it before you commit it" in done.stdout
    assert capsule.read(file).since == SINCE
    shown = ops("replay", "--stack", "staging", "--incident", since, until, *servers, "--folder", str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert "alerts fire." in shown.stdout
    assert json.loads((tmp_path / "incident.json").read_text())["from"] == since.replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("login of ann@example.com failed", "login of mail-1 failed"),
        ("10.0.3.7 -> 10.0.3.8, 10.0.3.7", "address-1 -> address-2, address-1"),
        ("fe80:0:0:0:1:2:3:4 is up", "address-1 is up"),
        ('{"password": "hunter2", "user": "ann"}', '{"secret-1", "user": "ann"}'),
        ("Authorization: Bearer abc.def", "secret-1"),
        ("key AKIAABCDEFGHIJKLMNOP used", "key secret-1 used"),
        ("postgres://app:hunter2@db/orders", "postgres://secret-1@db/orders"),
        ("node ip-10-0-3-7.eu-central-1.compute.internal", "node host-1"),
        ("GET https://api.shop.example.com/orders", "GET https://host-1/orders"),
        ("took 1.5 s at 12:30:45, version 1.2.3", "took 1.5 s at 12:30:45, version 1.2.3"),
    ],
)
def test_secrets_and_addresses_are_replaced(text: str, scrubbed: str) -> None:
    assert Scrubber()(text) == scrubbed


def test_a_file_that_is_too_large_or_no_capsule_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(at=1, text="fails", stream={})
    small = Capsule(since=START, until=START + HOUR, before=HOUR, samples="# EOF\n", lines=[line])
    monkeypatch.setattr(capsule, "LIMIT", 10)
    with pytest.raises(OpsError, match=r"would have \d+ bytes; allowed: 10 for each hour"):
        capsule.write(replace(small, before=0), tmp_path / "file")
    (tmp_path / "file").write_text("no gzip")
    with pytest.raises(OpsError, match=r"is not a captured incident: .*; allowed: a file of `make capture`"):
        capsule.read(tmp_path / "file")
