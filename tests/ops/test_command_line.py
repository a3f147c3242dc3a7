"""The real command line: errors of the commands, and the output of dry runs."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.mock_engine import ROOT
from tests.ops.conftest import Done


def test_a_failed_command_prints_only_the_error_and_exits_with_its_code() -> None:
    """The other tests run the commands in their own process, with the same exit code and text."""
    command = [sys.executable, "-m", "ops", "fire-alerts", "--environment", "moon"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: unknown environment 'moon'; there are: local")


def test_a_dry_run_shows_the_plan(ops: Callable[..., Done]) -> None:
    done = ops("fire-alerts", "--dry-run", "--alert", "JobQueueDepthHigh", "--alert", "JobQueueRedisErrors")

    assert done.returncode == 0, done.stderr
    for text in ("JobQueueDepthHigh", "JobQueueRedisErrors", "job-queue-slack", "job-queue-webhook", "shortened"):
        assert text in done.stdout
    assert "JobQueueNoWorkers" not in done.stdout
    assert "payload of JobQueueDepthHigh for job-queue-slack (slack):" in done.stdout
    assert '"title": "[FIRING:1] JobQueueDepthHigh (warning, local)"' in done.stdout
    assert "2000 jobs are pending in queue queue-1" in done.stdout, "twice the threshold"


def test_a_dry_run_of_another_stack_has_its_own_waits(ops: Callable[..., Done]) -> None:
    done = ops("fire-alerts", "--dry-run", "--environment", "production", "--alert", "JobQueueDepthHigh")

    assert done.returncode == 0, done.stderr
    assert "30 + 30 + 120 + 30" in done.stdout
    assert "shortened" not in done.stdout
    assert "simulated" not in done.stdout, "production has no simulator"
    assert "Stack production runs no simulator" in done.stdout
    assert "https://grafana.production.example.com/d/job-queue-overview?from=" in done.stdout


def test_a_dry_run_of_everything_shows_every_system_and_every_kind_of_proof(ops: Callable[..., Done]) -> None:
    done = ops("fire-alerts", "--dry-run")

    assert done.returncode == 0, done.stderr
    for text in (
        "JobQueueDepthHigh",
        "TargetDown",
        "SpecCursorErrorLogBurst",
        "10 + 100 + 5 + 5 + 1",
        "MediaUploadSlow",
    ):
        assert text in done.stdout
    for kind in ("real", "simulated workload", "simulated series", "always fires"):
        assert f" {kind} " in done.stdout
    assert "is not fired" not in done.stdout
    assert "TargetDown" not in ops("fire-alerts", "--dry-run", "--system", "speccursor").stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "texts"),
    [
        (["fire-alerts", "--alert", "Nope"], {"ALERTMANAGER_URL": "http://127.0.0.1:9"}, 2, ["Nope", "JobQueueRedis"]),
        (["fire-alerts", "--environment", "moon"], {}, 2, ["'moon'", "local", "production"]),
        (["fire-alerts", "--system", "moon"], {}, 2, ["'moon'", "job-queue", "media-clustering"]),
        (["fire-alerts", "--longest-window", "soon"], {}, 2, ["--longest-window", "'soon'", "30s"]),
        (["fire-alerts", "--html", "/no/such/folder/x.html"], {}, 2, ["/no/such/folder/x.html", "does not exist"]),
        (
            ["fire-alerts", "--alert", "Watchdog"],
            {"ALERTMANAGER_URL": "http://127.0.0.1:9"},
            1,
            ["Watchdog is left out"],
        ),
        (["fire-alerts", "--nope"], {}, 2, ["--nope"]),
        (["kill-drill", "--kills", "0"], {}, 2, ["--kills"]),
        (["fire-alerts", "--environment", "production"], {}, 1, ["no simulator", "ALERTMANAGER_URL"]),
        (["kill-drill", "--environment", "production"], {}, 1, ["no simulator"]),
        (["fire-alerts"], {"KUBE_CONTEXT": "no-such-context", "SIMULATOR_IMAGE": "i"}, 1, ["no-such-context"]),
        (["fire-alerts"], {"KUBE_CONTEXT": "c"}, 1, ["no simulator"]),
        (["fire-alerts"], {"ALERTMANAGER_URL": "not a url"}, 1, ["not a url"]),
    ],
)
def test_wrong_arguments_are_one_clear_error(
    ops: Callable[..., Done], arguments: list[str], environment: dict[str, str], code: int, texts: list[str]
) -> None:
    done = ops(*arguments, **environment)

    assert done.returncode == code, done.stderr
    for text in texts:
        assert text in done.stderr
