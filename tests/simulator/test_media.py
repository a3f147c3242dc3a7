"""Uploads and clustering jobs: their traces, the log lines that runbooks filter by, exemplars, and faults."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from simulator.engine.app import create_app
from simulator.engine.faults import Switchboard
from simulator.engine.runs import Step
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.systems import contract, media_clustering, media_runs, media_upload, media_upload_faults
from tests.simulator.client import Client
from tests.simulator.lines import captured

OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


class Pod:
    """A pod without a port. Its traces stay in memory."""

    def __init__(self, plan: Callable[[random.Random], Step]) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter)
        system, faults = (
            (media_upload, media_upload_faults.FAULTS)
            if plan is media_runs.upload
            else (media_clustering, media_clustering.FAULTS)
        )
        workload = Workload(system.METRICS, system.HEALTHY)
        switches = Switchboard(workload, faults)
        rng = random.Random(1)  # noqa: S311 - a seed, so that a test repeats
        self.media = media_runs.MediaRuns(self.tracing, plan, switches, workload, rng=rng)
        self.client = Client(create_app(workload, switches))

    def runs(self, count: int) -> list[dict[str, Any]]:
        """The log lines of so many runs."""
        with captured() as lines:
            for _ in range(count):
                self.media.run()
        return lines.read()


def test_uploads_pass_through_all_four_services() -> None:
    pod = Pod(media_runs.upload)
    lines = pod.runs(50)
    pod.tracing.shutdown()
    traces: dict[int, set[str]] = {}
    for span in pod.exporter.get_finished_spans():
        assert span.context
        traces.setdefault(span.context.trace_id, set()).add(str(span.resource.attributes["service.name"]))

    assert {line["service"] for line in lines} == set(contract.services("media-upload"))
    assert {"gateway", "ingestor", "variant-generator"} in traces.values()
    assert all(line["trace_id"] and line["correlation_id"] and line["duration_ms"] > 0 for line in lines)
    assert not [line for line in lines if line["level"] == "ERROR"]


def test_jobs_are_found_by_logger_and_pet() -> None:
    pod = Pod(media_runs.cluster)
    lines = pod.runs(50)

    assert {line["service"] for line in lines} == {"sploot-cluster"}
    assert {line["logger"] for line in lines} == {"sploot-cluster.queue"}
    assert all(1 <= line["pet_id"] <= 500 for line in lines)
    assert {line["operation"] for line in lines} == {"job.handle", "feedback.apply"}


@pytest.mark.parametrize(
    ("plan", "metrics"),
    [
        (
            media_runs.upload,
            {
                "gateway_request_duration_seconds",
                "media_upload_duration_seconds",
                "variant_generation_duration_seconds",
            },
        ),
        (media_runs.cluster, {"cluster_job_duration_seconds"}),
    ],
)
def test_exemplars_name_traces(plan: Callable[[random.Random], Step], metrics: set[str]) -> None:
    pod = Pod(plan)
    ids = {line["trace_id"] for line in pod.runs(5)}
    text = pod.client.get("/metrics", headers=OPEN_METRICS).text

    found = {line.split("_bucket")[0] for line in text.splitlines() if any(f'trace_id="{one}"' in line for one in ids)}
    assert found == metrics


def test_few_gateway_requests_are_slow() -> None:
    """Slow requests of runs add to those of the signals, so their share must stay far below the SLO's 5 %."""
    rng = random.Random(1)  # noqa: S311 - a seed, so that a test repeats
    durations = [step.duration for step in (media_runs.upload(rng) for _ in range(3000)) if step.service == "gateway"]

    assert sum(one > 0.5 for one in durations) / len(durations) < 0.005


@pytest.mark.parametrize(
    ("plan", "fault", "service", "reason"),
    [
        (media_runs.upload, "MediaUploadFailureRateHigh", "ingestor", "the object store refuses the upload"),
        (media_runs.upload, "MediaReconciliationErrors", "reconciler", "the object has no record"),
        (media_runs.cluster, "MediaClusterJobFailures", "sploot-cluster", "embedding has 511 dimensions, not 512"),
        (media_runs.cluster, "MediaClusterFeedbackFailures", "sploot-cluster", "the cluster to merge does not exist"),
    ],
)
def test_a_fault_shows_in_log_lines_while_it_is_on(
    plan: Callable[[random.Random], Step], fault: str, service: str, reason: str
) -> None:
    pod = Pod(plan)
    pod.client.put(f"/faults/{fault}")
    errors = [line for line in pod.runs(100) if line["level"] == "ERROR"]
    pod.client.delete(f"/faults/{fault}")

    assert errors
    assert {line["message"] for line in errors} == {reason}
    assert service in {line["service"] for line in errors}
    assert sum(line["level"] == "ERROR" for line in pod.runs(100)) <= 4


def test_a_stalled_pod_logs_no_jobs() -> None:
    pod = Pod(media_runs.cluster)
    pod.client.put("/faults/MediaClusterJobsStalled")
    assert pod.runs(5) == []
    pod.client.delete("/faults/MediaClusterJobsStalled")
    assert len(pod.runs(5)) == 5
