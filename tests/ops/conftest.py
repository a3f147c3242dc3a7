"""The running pipeline, once for all tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.clients import Alertmanager, Prometheus, Receiver, Simulator
from ops.services import Services
from tests.ops.pipeline import Pipeline, pipeline

FAST = {name: {"for": "1s"} for name in ("JobQueueDepthHigh", "JobQueueNoWorkers", "JobQueueRedisErrors")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(Path(tmp_path_factory.mktemp("pipeline")), FAST) as made:
        yield made


@pytest.fixture
def services(running: Pipeline) -> Services:
    return Services(
        source=Simulator(running.urls["simulator-server"]),
        receiver=Receiver(running.urls["receiver"]),
        prometheus=Prometheus(running.urls["prometheus-0"]),
        alertmanager=Alertmanager(running.urls["alertmanager-0"]),
    )
