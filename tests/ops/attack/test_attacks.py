"""The attacks without a cluster: the pod's program does what the plan says, and each check can fail."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import promql_parser
import pytest

from local.ports import free_port
from ops.attack import attacks
from ops.attack.command import judged
from tools.http_server import Handler, serving

PROGRAM = Path(attacks.__file__).with_name("attacker.py")
PLAN = attacks.plan(1_700_000_000, "observability")
FINDINGS = {f"F{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 16, 22)}


def test_every_finding_that_a_pod_can_repeat_has_an_attack() -> None:
    assert {one for pods in PLAN.pods.values() for pod in pods for one in pod.findings.split(", ")} >= FINDINGS


@pytest.mark.parametrize("check", PLAN.checks, ids=lambda check: check.says)
def test_a_check_is_a_query_that_can_fail(check: attacks.Check) -> None:
    promql_parser.parse(check.query)
    assert judged(check, [{"value": [0, str(check.most)]}]) == ""
    assert judged(check, [{"value": [0, str(check.most + 1)]}])
    assert bool(judged(check, [])) is (check.least > 0)


def test_the_program_says_what_it_reached_and_sent(tmp_path: Path) -> None:
    got: list[str] = []

    class Agent(Handler):
        def respond(self) -> None:
            self.body()
            got.append(self.path)
            self.answer(200)

    with serving(Agent) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        sender = next(pod for pod in PLAN.pods[PLAN.attacker] if pod.name == "sender")
        task = {**sender.task, "connect": [["127.0.0.1", port], ["127.0.0.1", free_port()]], "lines": 3, "ends": True}
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
    first, *lines = done.stdout.splitlines()
    said = json.loads(first)
    assert said["reached"] == [f"127.0.0.1:{port}"]
    assert said["sent"] == [200] * len(sender.task["otlp"])
    assert got == [path for path, _ in sender.task["otlp"]]
    assert len(lines) == 3
