# ruff: noqa: E501  (a case of a table stays on its line)
"""Which alerts are one notification and one incident, asked of a real Alertmanager with the deployed routes."""

import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from alerting import loader, routing
from alerting.model import Rule
from alerting.routing import notified
from tools.rule_tests import alertmanager
from tools.rule_tests.alertmanager import Running

Labels = dict[str, str]
DATABASE = {"namespace": "media", "app": "postgres-exporter"}
TILL = {"namespace": "shop", "workload": "till"}
PODS = [f"till-5bf8ddd47d-x2k9{n}" for n in range(2, 5)]
CLUSTERING = {"namespace": "media", "app": "sploot-cluster"}

# Name -> alerts that fire together, and how many incidents the receivers of each alert see.
INCIDENTS: dict[str, tuple[int, list[Labels]]] = {
    "eight slow operations of a service": (
        1,
        [
            {"alertname": "SpecCursorOperationSlow", "namespace": "a", "app": "x", "service": "s", "operation": f"o{number}"}
            for number in range(8)
        ],
    ),
    "slow operations of two services": (
        2,
        [
            {"alertname": "SpecCursorOperationSlow", "namespace": "a", "app": "x", "service": f"s{number}", "operation": "o"}
            for number in range(2)
        ],
    ),
    "five failing queues": (
        1,
        [{"alertname": "JobQueueFailureRateHigh", "namespace": "a", "queue": f"q{number}"} for number in range(5)],
    ),
    "two long queues": (
        2,
        [{"alertname": "JobQueueDepthHigh", "namespace": "a", "queue": f"q{number}"} for number in range(2)],
    ),
    "three pods of an app on three nodes, and the app": (
        1,
        [
            {"alertname": "TargetDown", "namespace": "a", "app": "x", "job": "pods", "scope": "app"},
            *(
                {"alertname": "TargetDown", "namespace": "a", "app": "x", "job": "pods", "scope": "target", "pod": f"x-{n}", "node": f"n{n}"}
                for n in range(3)
            ),
        ],
    ),
    "a program on fifty nodes": (
        1,
        [
            {"alertname": "TargetDown", "namespace": "a", "app": "agent", "job": "pods", "scope": "target", "pod": f"x-{n}", "node": f"n{n}"}
            for n in range(50)
        ],
    ),
    "two volumes": (
        2,
        [
            {"alertname": "PersistentVolumeFillingUp", "namespace": "a", "persistentvolumeclaim": f"data-{number}"}
            for number in range(2)
        ],
    ),
    "two databases": (2, [{"alertname": "DatabasePoolExhausted", **DATABASE, "pod": f"p{number}"} for number in range(2)]),
    "two nodes' disks": (
        2,
        [{"alertname": "NodeDiskHigh", "namespace": "a", "node": f"n{number}", "device": "sda"} for number in range(2)],
    ),
    "two disks of a node": (
        2,
        [{"alertname": "NodeDiskHigh", "namespace": "a", "node": "n", "device": f"sd{number}"} for number in range(2)],
    ),
    "two receivers": (
        2,
        [
            {"alertname": "AlertmanagerNotificationsFailing", "namespace": "a", "app": "alertmanager", "receiver_name": f"r{number}"}
            for number in range(2)
        ],
    ),
    "two groups of rules": (
        2,
        [
            {"alertname": "PrometheusRuleFailures", "namespace": "a", "app": "prometheus", "rule_group": f"g{number}", "pod": "p"}
            for number in range(2)
        ],
    ),
    "one environment beside another": (
        2,
        [{"alertname": "ApiErrorRateHigh", "namespace": f"n{number}", "service": "s"} for number in range(2)],
    ),
}  # fmt: skip

# One broken dependency -> everything that fires because of it.
STORMS: dict[str, list[Labels]] = {
    "object storage of the media service": [
        *({"alertname": "MediaStorageOperationFailures", "namespace": "media", "app": "media-upload", "operation": one} for one in ("put", "get", "delete")),
        {"alertname": "MediaUploadFailureRateHigh", "namespace": "media", "app": "media-upload"},
        {"alertname": "MediaUploadSlow", "namespace": "media", "app": "media-upload"},
        {"alertname": "MediaReconciliationErrors", "namespace": "media", "app": "media-upload"},
        {"alertname": "DatabasePoolExhausted", **DATABASE, "pod": "postgres-exporter-0"},
        {"alertname": "HighGraphQLErrorRate", "namespace": "media", "app": "media-gateway"},
        {"alertname": "MediaUploadAvailabilityBudgetBurnFast"},
        {"alertname": "MediaUploadAvailabilityBudgetBurnSlow"},
        {"alertname": "MediaGatewayLatencyBudgetBurnFast"},
        {"alertname": "MediaGatewayLatencyBudgetBurnSlow"},
    ],
    "database of the media service": [
        {"alertname": "DatabasePoolExhausted", **DATABASE, "pod": "postgres-exporter-0"},
        {"alertname": "MediaUploadFailureRateHigh", "namespace": "media", "app": "media-upload"},
        {"alertname": "MediaUploadSlow", "namespace": "media", "app": "media-upload"},
        {"alertname": "HighGraphQLErrorRate", "namespace": "media", "app": "media-gateway"},
        {"alertname": "MediaUploadAvailabilityBudgetBurnFast"},
        {"alertname": "MediaGatewayLatencyBudgetBurnFast"},
    ],
    "Redis of the job queue": [
        *({"alertname": "JobQueueRedisErrors", "namespace": "jobs", "app": "jq-server", "operation": one} for one in ("get", "set", "push")),
        {"alertname": "JobQueueSchedulerSlow", "namespace": "jobs", "app": "jq-server"},
        *({"alertname": "JobQueueFailureRateHigh", "namespace": "jobs", "queue": one} for one in ("mail", "image", "report")),
        *({"alertname": "JobQueueDepthHigh", "namespace": "jobs", "app": "jq-server", "queue": one} for one in ("mail", "image", "report")),
    ],
    "workers of the job queue": [
        {"alertname": "JobQueueNoWorkers", "namespace": "jobs"},
        *({"alertname": "JobQueueDepthHigh", "namespace": "jobs", "app": "jq-server", "queue": one} for one in ("mail", "image", "report")),
    ],
    "vector index of media clustering": [
        *({"alertname": name, **CLUSTERING} for name in ("MediaClusterJobFailures", "MediaClusterJobFailuresCritical", "MediaClusterJobsStalled")),
        *({"alertname": f"MediaClusterLatency{one}", **CLUSTERING, "backend": "faiss"} for one in ("High", "Critical")),
        *({"alertname": f"MediaClusterBacklog{one}", **CLUSTERING} for one in ("High", "Critical")),
        *({"alertname": f"MediaClusterStreamLag{one}", **CLUSTERING} for one in ("High", "Critical")),
        *({"alertname": "MediaClusterFeedbackFailures", **CLUSTERING, "operation": one} for one in ("merge", "split")),
    ],
    "media clustering itself": [
        *({"alertname": name, **CLUSTERING} for name in ("MediaClusterDown", "MediaClusterJobsStalled")),
        *({"alertname": f"MediaClusterBacklog{one}", **CLUSTERING} for one in ("High", "Critical")),
        *({"alertname": f"MediaClusterStreamLag{one}", **CLUSTERING} for one in ("High", "Critical")),
    ],
    "a service of SpecCursor": [
        {"alertname": "SpecCursorServiceDown", "namespace": "spec"},
        *({"alertname": "SpecCursorOperationSlow", "namespace": "spec", "service": "api", "operation": f"o{n}"} for n in range(8)),
        {"alertname": "SpecCursorProofFailureRateHigh", "namespace": "spec", "app": "proofs"},
        {"alertname": "SpecCursorUpgradeFailureRateAnomalous", "namespace": "spec"},
        *({"alertname": "SpecCursorErrorLogBurst", "namespace": "spec", "service": one} for one in ("api", "worker")),
        {"alertname": "SpecCursorErrorLogAnomalous", "namespace": "spec"},
        {"alertname": "TargetDown", "namespace": "spec", "app": "proofs", "job": "pods", "scope": "app"},
    ],
    **{
        f"a service whose containers end again and again, {why}": [
            {"alertname": "ApiServiceDown", "namespace": "shop", "service": "till"},
            *({"alertname": "PodCrashLooping", **TILL, "pod": pod, "container": "till"} for pod in PODS),
            *({"alertname": "ContainerOOMKilled", "namespace": "shop", "pod": pod, "container": "till"} for pod in PODS if killed),
            *({"alertname": "TargetDown", **TILL, "app": "till", "job": "pods", "scope": "target", "pod": pod, "node": "n"} for pod in PODS),
            {"alertname": "TargetDown", **TILL, "app": "till", "job": "pods", "scope": "app"},
            {"alertname": "WorkloadReplicasMissing", **TILL},
            {"alertname": "DeploymentRolloutStuck", **TILL},
        ]
        for why, killed in (("by a fault", False), ("for want of memory", True))
    },
    "model behind SpecCursor": [
        *({"alertname": "SpecCursorOperationSlow", "namespace": "spec", "service": "api", "operation": f"o{n}"} for n in range(8)),
        {"alertname": "SpecCursorProofFailureRateHigh", "namespace": "spec", "app": "proofs"},
        {"alertname": "SpecCursorUpgradeFailureRateAnomalous", "namespace": "spec"},
        *({"alertname": "SpecCursorErrorLogBurst", "namespace": "spec", "service": one} for one in ("api", "worker", "proofs")),
        {"alertname": "SpecCursorErrorLogAnomalous", "namespace": "spec"},
    ],
}  # fmt: skip
MOST = 2
"""Notifications per channel that one broken dependency may cause."""

# Labels of what pages that make no second page: alert -> label -> reason.
TOGETHER = {
    "SpecCursorOperationSlow": {"operation": "one cause slows several operations"},
    "MediaStorageOperationFailures": {"operation": "one storage serves all operations"},
    "MediaClusterFeedbackFailures": {"operation": "one store takes all feedback"},
    "MediaClusterLatencyCritical": {"backend": "the responder of both is the same, and the message names them"},
    "JobQueueFailureRateHigh": {"queue": "one cause fails several queues, and the message names them"},
    "AlertmanagerNotificationsFailing": {"integration": "follows from the receiver"},
    "PrometheusRuleFailures": {"pod": "both replicas evaluate the same rules"},
}


@functools.cache
def rules() -> dict[str, Rule]:
    return loader.load().rules()


def full(labels: Labels, cluster: str) -> Labels:
    return {**rules()[labels["alertname"]].labels.model_dump(), "cluster": cluster, **labels}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Alertmanager with all incidents and storms at once, each in its own cluster."""
    config = alertmanager.document(mute_windows=False)
    with alertmanager.running(config, tmp_path_factory.mktemp("groups")) as found:
        incidents = [full(alert, name) for name, (_, alerts) in INCIDENTS.items() for alert in alerts]
        storms = [full(alert, name) for name, alerts in STORMS.items() for alert in alerts]
        found.fire(*incidents, *storms)
        found.settle()
        yield found


def messages(running: Running, cluster: str) -> Counter[str]:
    """Number of groups per receiver."""
    found = {(one.receiver, one.group) for one in running.messages if one.alerts[0]["cluster"] == cluster}
    return Counter(receiver for receiver, _ in found)


@pytest.mark.parametrize("name", INCIDENTS)
def test_one_incident_or_several(running: Running, name: str) -> None:
    count, alerts = INCIDENTS[name]
    channels = notified.channels(routing.load(), full(alerts[0], name))
    assert messages(running, name) == dict.fromkeys(channels, count)
    told = [alert for one in running.messages for alert in one.alerts if alert["cluster"] == name]
    assert len(told) == len(alerts) * len(channels), "every alert is in a message"


@pytest.mark.parametrize("name", STORMS)
def test_one_broken_dependency_is_at_most_two_notifications_per_channel(running: Running, name: str) -> None:
    found = messages(running, name)
    assert found, "somebody is told"
    assert {channel: count for channel, count in found.items() if count > MOST} == {}
    channels = {one for alert in STORMS[name] for one in notified.channels(routing.load(), full(alert, name))}
    assert set(found) == channels, "every channel that any of the alerts has is told of one of them"


def test_each_label_of_a_page_tells_incidents_apart_or_is_left_out_for_a_reason() -> None:
    """A second object with a label that is not in `group_by` joins an acknowledged incident, and wakes nobody."""
    routes = routing.load()
    seen: dict[str, set[str]] = {}
    for _, alerts in [*INCIDENTS.values(), *((0, alerts) for alerts in STORMS.values())]:
        for alert in alerts:
            seen.setdefault(alert["alertname"], set()).update(alert)
    for name, rule in rules().items():
        if rule.labels.page != "true":
            continue
        incident = routes.incidents.get(name)
        apart = {*routes.group_by, *(incident.labels if incident else ())}
        labels = shown(rule) | seen.get(name, set())
        assert labels - apart == set(TOGETHER.get(name, {})), name


def shown(rule: Rule) -> set[str]:
    """Labels of the series that the rule's texts name."""
    texts: list[Any] = [rule.annotations.summary, rule.annotations.description]
    return {part.split("}}")[0].split(" ")[0].strip(" .") for text in texts for part in text.split("$labels.")[1:]}
