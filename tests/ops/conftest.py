"""Fixtures: one running pipeline that all tests share, and the command line."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from ops.__main__ import main
from ops.capacity import price_list
from ops.clients.signals import Alertmanager, Prometheus, Receiver, Simulator
from ops.drills.services import Services
from tests.mock_engine import ROOT
from tests.ops.pipeline import SHORT, Pipeline, pipeline

FAST = {name: {"for": SHORT} for name in ("JobQueueDepthHigh", "JobQueueNoWorkers", "JobQueueRedisErrors")}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(Path(tmp_path_factory.mktemp("pipeline")), FAST) as started:
        yield started


@pytest.fixture
def services(running: Pipeline) -> Services:
    return Services(
        source=Simulator(running.urls["simulator-server"]),
        receiver=Receiver(running.urls["receiver"]),
        prometheus=Prometheus(running.urls["prometheus-0"]),
        alertmanager=Alertmanager(running.urls["alertmanager-0"]),
    )


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command that has ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Done]:
    """`ops("cost", "--stack", "moon")` runs `python -m ops cost --stack moon` in this process.

    A process of its own would spend seconds on imports. Raises an error that the command line does not catch.
    """
    monkeypatch.setattr(price_list, "folder", lambda: tmp_path)
    for name in ("ALERTMANAGER_URL", "KUBE_CONTEXT", "SIMULATOR_IMAGE", *price_list.CREDENTIALS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)
    # These calls would change the whole test process.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(structlog, "configure", lambda **_: None)

    def run(*arguments: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["ops", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run
