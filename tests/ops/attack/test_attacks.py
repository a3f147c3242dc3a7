"""The attacks without a cluster: the pod's program does what the plan says, and each check can fail."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import promql_parser
import pytest

from local.ports import free_port
from ops.attack import attacks, command, sample
from ops.attack.command import judged
from ops.clients.signals import Api
from ops.drills import faults
from ops.drills.deployed import content
from ops.drills.wait_times import OWN_HISTORY
from ops.environment import LOCAL, load
from tools.http_server import Handler, serving

PROGRAM = Path(attacks.__file__).with_name("attacker.py")
PLAN = attacks.plan(1_700_000_000, "observability")
LINES = [
    [str(10**18 + number), json.dumps({"message": f"innocent {number // attacks.LINES + 1}.{number % attacks.LINES}"})]
    for number in range(6 * attacks.LINES)
]
"""Each line of an innocent pod's six rounds, and the last one twice, which is no loss."""
LINES.append(LINES[-1])
FINDINGS = {f"F{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 16, 22)}


def test_every_finding_that_a_pod_can_repeat_has_an_attack() -> None:
    assert {one for pods in PLAN.pods.values() for pod in pods for one in pod.findings.split(", ")} >= FINDINGS


@pytest.mark.parametrize("check", PLAN.checks, ids=lambda check: check.says)
def test_a_check_is_a_query_that_can_fail(check: attacks.Check) -> None:
    promql_parser.parse(check.query.replace("WINDOW", "60s"))
    assert judged(check, [{"value": [0, str(check.most)]}]) == ""
    assert judged(check, [{"value": [0, str(check.most + 1)]}])
    assert bool(judged(check, [])) is (check.least > 0)


def test_the_program_says_in_each_round_what_it_reached_and_sent(tmp_path: Path) -> None:
    got: list[str] = []

    class Agent(Handler):
        def respond(self) -> None:
            body = self.body()
            got.append(f"{self.path} {body.decode()[:5000].partition('traceId')[2][4:36]}".strip())
            self.answer(200)

    with serving(Agent) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        pods = {pod.name: pod for pods in PLAN.pods.values() for pod in pods}
        sender, innocent = pods["sender"], pods["innocent"]
        connect = [["127.0.0.1", port], ["127.0.0.1", free_port()]]
        task = {**innocent.task, **sender.task, "connect": connect, "rounds": 2, "pause": 0, "port": free_port()}
        variable = dataclasses.replace(sender, task=task).variable(url.rstrip("/"))
        assert len(variable) < 128 * 1024, "the kernel refuses a longer one"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.read_text()],
            env={**os.environ, "TASK": variable},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    lines = done.stdout.splitlines()
    rounds = [json.loads(line) for line in lines if line.startswith('{"round"')]
    assert [one["round"] for one in rounds] == [1, 2]
    assert [one["reached"] for one in rounds] == [[f"127.0.0.1:{port}"]] * 2
    assert [one["sent"] for one in rounds] == [[200] * (len(sender.task["otlp"]) + 1)] * 2
    assert got[-1] == f"/v1/traces {attacks.trace_id(PLAN.begun, 2)}"
    assert sum('"message": "innocent ' in line for line in lines) == 2 * attacks.LINES


def test_what_the_pods_found_is_judged() -> None:
    quiet = {"round": 1, "reached": [], "neighbours": [], "sent": [200]}
    found = {pod.name: [quiet] for pods in PLAN.pods.values() for pod in pods}
    assert [why for _, why in command._reached(PLAN, found)] == ["", ""]
    found["connects"] = [quiet, {**quiet, "reached": ["loki:3100"], "neighbours": ["fe80::1:9090"]}]
    assert [why for _, why in command._reached(PLAN, found)] == ["fe80::1:9090, loki:3100", ""]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [({}, 0), ({"lines": 59}, 1), ({"lines": 61}, 0), ({"attack": 0}, 1), ({"forged": 1}, 1), ({"traces": 5}, 1)],
    ids=str,
)
def test_a_lost_line_or_trace_is_counted(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, int], expected: int
) -> None:
    monkeypatch.setattr(command, "ARRIVED", 0.0)
    monkeypatch.setattr(command, "_PAUSE", 0.0)
    stored = {"lines": 6 * attacks.LINES, "attack": 3, "forged": 0, "traces": 6, **answers}

    class Stores(Api):
        def get(self, path: str, **parameters: object) -> object:
            if path.startswith("/api/traces/"):
                number = int(path[-8:], 16)
                return {"data": ["trace"] if number <= stored["traces"] else []}
            query = str(parameters.get("query"))
            if path.endswith("/query_range"):
                return {"data": {"result": [{"stream": {}, "values": LINES[: stored["lines"]]}]}}
            name = next((one for one in ("forged", 'attack"') if one in query), "streams").strip('"')
            count = stored.get(name, 0)
            return {"data": {"result": [{"value": [0, str(count)]}]} if "query" in parameters else []}

    stores = Stores("store", "http://127.0.0.1:1")
    rounds = [{"round": number, "sent": [200]} for number in range(1, 7)]
    rows = dict(command._stored(PLAN, rounds, stores, stores))
    assert len([why for why in rows.values() if why]) == expected, rows
    assert any("none of 60 lines" in row for row in rows)
    assert any("none of 6 traces" in row for row in rows)


def test_every_system_has_an_alert_that_is_fired_meanwhile() -> None:
    stack = load(LOCAL)
    files = content(stack)
    chosen = sample.one_of_each(stack, files)
    assert {*chosen} == {files.system(name) for name in files.rules}
    assert {files.system(name) for name in chosen.values()} == {*chosen}
    assert not {*chosen.values()} & {*faults.REAL, *OWN_HISTORY}
