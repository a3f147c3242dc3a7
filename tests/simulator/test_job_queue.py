"""The simulated job queue exports exactly the metrics of rules/contract/job-queue.yaml."""

import pytest

from alerting import contract
from simulator.__main__ import build
from simulator.engine.app import create_app
from simulator.engine.faults import Switchboard
from simulator.engine.signals import Level
from simulator.engine.workload import LINGER, Workload
from simulator.systems import job_queue
from tests.simulator.client import Client
from tests.simulator.pages import families

CONTRACT = {name: (metric.type, set(metric.labels)) for name, metric in contract.load()["job-queue"].metrics.items()}
ALERTS = {
    "JobQueueDepthHigh",
    "JobQueueNoWorkers",
    "JobQueueFailureRateHigh",
    "JobQueueSchedulerSlow",
    "JobQueueKafkaPublishErrorsSpiking",
    "JobQueueRedisErrors",
    "AlertsOnMissingMetrics",
}


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def exposed(role: str) -> dict[str, tuple[str, set[str]]]:
    """Maps the metrics of a pod to their types and labels."""
    text = Client(build(role)).get("/metrics").text
    found: dict[str, tuple[str, set[str]]] = {}
    for family in families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert family.samples, f"{name} has no series"
        found[name] = (family.type, labels)
    return found


def value(workload: Workload, name: str, **labels: str) -> float:
    found = workload.registry.get_sample_value(name, labels)
    assert found is not None, f"no series {name}{labels}"
    return found


def test_both_roles_together_export_exactly_the_contract() -> None:
    server, worker = exposed("server"), exposed("worker")

    assert server | worker == CONTRACT
    assert set(server) & set(worker) == {"jq_jobs_failed_total"}


def test_there_is_a_fault_for_every_alert() -> None:
    assert {fault.alert for fault in job_queue.FAULTS} == ALERTS


def test_time_between_scrapes_becomes_events() -> None:
    clock = Clock()
    workload = Workload(job_queue.metrics("worker"), job_queue.worker("w"), clock=clock)
    for clock.now in (7.0, 14.0, 100.0):
        workload.advance()

    assert value(workload, "jq_jobs_completed_total", queue="email") == 50
    assert value(workload, "jq_job_latency_seconds_count", queue="email") == 50


def test_an_unscraped_workload_makes_up_for_at_most_five_minutes() -> None:
    clock = Clock()
    workload = Workload(job_queue.metrics("worker"), job_queue.worker("w"), clock=clock)
    clock.now = 86_400.0
    workload.advance()

    assert value(workload, "jq_jobs_completed_total", queue="email") == 150


def test_a_fault_replaces_levels_and_restores_them() -> None:
    workload = Workload(job_queue.metrics("server"), job_queue.server(3), clock=Clock())
    switches = Switchboard(workload, job_queue.FAULTS, clock=Clock())

    switches.switch_on("JobQueueNoWorkers")
    assert value(workload, "jq_workers_active") == 0
    switches.switch_off("JobQueueNoWorkers")
    assert value(workload, "jq_workers_active") == 3


def test_each_instance_of_a_fault_has_its_own_series() -> None:
    clock = Clock()
    workload = Workload(job_queue.metrics("server"), job_queue.server(2), clock=clock)
    switches = Switchboard(workload, job_queue.FAULTS, clock=Clock())

    switches.switch_on("JobQueueDepthHigh", instance="a")
    switches.switch_on("JobQueueDepthHigh", instance="b")
    switches.switch_off("JobQueueDepthHigh", instance="a")

    depth = "jq_queue_depth"
    assert value(workload, depth, queue="b", status="PENDING") == 4000
    assert value(workload, depth, queue="default", status="PENDING") < 1000
    # The queue drains before its series ends: a Prometheus that restarts when a series ends would miss the end.
    assert value(workload, depth, queue="a", status="PENDING") == 0
    clock.now = LINGER
    workload.advance()
    assert workload.registry.get_sample_value(depth, {"queue": "a", "status": "PENDING"}) is None
    assert value(workload, depth, queue="b", status="PENDING") == 4000


def test_switching_on_twice_bursts_once_and_keeps_the_first_time() -> None:
    clock = Clock(1000.0)
    workload = Workload(job_queue.metrics("server"), job_queue.server(2), clock=Clock())
    switches = Switchboard(workload, job_queue.FAULTS, clock=clock)

    first = switches.switch_on("JobQueueRedisErrors")
    clock.now = 1010.0
    second = switches.switch_on("JobQueueRedisErrors", seconds=60)

    assert value(workload, "jq_redis_operation_errors_total", operation="dequeue") == 5
    assert (second.since, second.until) == (first.since, 1070.0)


def test_a_forgotten_fault_ends_by_itself() -> None:
    clock = Clock(1000.0)
    workload = Workload(job_queue.metrics("server"), job_queue.server(2), clock=Clock())
    switches = Switchboard(workload, job_queue.FAULTS, clock=clock)
    client = Client(create_app(workload, switches))
    client.put("/faults/JobQueueDepthHigh", params={"seconds": 30})

    clock.now = 1029.0
    assert 'queue="default",status="PENDING"} 4000.0' in client.get("/metrics").text
    clock.now = 1030.0
    assert 'queue="default",status="PENDING"} 40.0' in client.get("/metrics").text
    assert all(not fault["active"] for fault in client.get("/faults").json())


def test_an_unknown_fault_names_the_known_ones() -> None:
    answer = Client(build("server")).put("/faults/JobQueueOnFire")

    assert answer.status_code == 404
    assert all(alert in answer.json()["detail"] for alert in ALERTS)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("JobQueueRedisErrors", {"instance": "a"}),
        ("JobQueueDepthHigh", {"instance": 'a"} 1\nevil{x="'}),
        ("JobQueueDepthHigh", {"seconds": -1}),
        ("JobQueueDepthHigh", {"seconds": "nan"}),
        ("JobQueueDepthHigh", {"seconds": 100_000}),
    ],
)
def test_a_bad_switch_is_refused(path: str, parameters: dict[str, str]) -> None:
    client = Client(build("server"))

    assert client.put(f"/faults/{path}", params=parameters).status_code == 422
    assert all(not fault["active"] for fault in client.get("/faults").json())


def test_switches_over_http() -> None:
    client = Client(build("server"))
    client.put("/faults/JobQueueDepthHigh")
    on = [fault["alert"] for fault in client.get("/faults").json() if fault["active"]]

    assert on == ["JobQueueDepthHigh"]
    assert client.delete("/faults/JobQueueDepthHigh").json()["was_on"] is True
    assert client.delete("/faults/JobQueueDepthHigh").json()["was_on"] is False


def test_a_worker_has_no_switches() -> None:
    assert Client(build("worker")).get("/faults").status_code == 404


def test_a_metric_outside_the_workload_is_an_error() -> None:
    workload = Workload(job_queue.metrics("worker"), (), clock=Clock())

    with pytest.raises(KeyError):
        workload.add("x", [Level(metric="jq_queue_depth", value=1)])
