"""Kubernetes - Cluster: is there room, does everything run, do the API server and DNS answer."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines, single
from dashboards.builder.queries import or_zero, prom, quantile
from dashboards.builder.tables import Column, ranking
from dashboards.kubernetes import signals

_ALL = 'container!=""'
_NONE = Look(unit=units.EXACT, limits=Limits(warning=1, why="none is normal outside of rollouts."))
_API_LIMITS = Limits(critical=0.03, why="KubernetesApiErrorRateHigh pages after 5 minutes above 3 %.")
_SLOW_LIMITS = Limits(warning=0.05, why="KubernetesApiSlow alerts after 10 minutes above 5 %.")
_DNS_LIMITS = Limits(critical=0.05, why="ClusterDnsErrorsHigh pages after 5 minutes above 5 %.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        shows="Cluster",
        purpose="All nodes and namespaces together: is there room, does everything run, do the API server and DNS "
        "answer?",
        runbooks=["KubernetesApiErrorRateHigh", "KubernetesApiSlow", "ClusterDnsErrorsHigh", "VolumeFailed"],
        logs='{namespace="kube-system"}',
    )
    return dashboard(about, [], [_now(), _room(), _namespaces(), _api(), _dns(), _warnings()])


def _now() -> Row:
    ready = 'kube_node_status_condition{condition="Ready", status="true"}'
    phase = 'sum(kube_pod_status_phase{{phase=~"{}"}})'
    return row(
        "Now",
        line(
            single("Nodes", "Nodes of the cluster.", prom(f"count({ready})", "nodes"), Look(unit=units.EXACT)),
            single(
                "Nodes not ready",
                "Nodes whose kubelet does not report, or reports that it cannot run containers.",
                prom(f"count({ready}) - sum({ready})", "nodes"),
                Look(unit=units.EXACT, limits=Limits(critical=1, why="NodeNotReady pages after 10 minutes.")),
            ),
            single("Pods running", "Pods that run.", prom(phase.format("Running"), "pods"), Look(unit=units.EXACT)),
            single(
                "Pods not started",
                "Pods that are pending, or whose node does not answer.",
                prom(phase.format("Pending|Unknown"), "pods"),
                _NONE,
            ),
            single(
                "Containers waiting",
                "Containers that do not run: their image, a setting or a crash keeps them.",
                prom(or_zero("sum(kube_pod_container_status_waiting_reason)"), "containers"),
                _NONE,
            ),
            single(
                "Volumes failed",
                "Volumes that could not be deleted, and claims whose volume is gone.",
                prom(
                    or_zero(
                        'sum(kube_persistentvolume_status_phase{phase="Failed"}) '
                        '+ sum(kube_persistentvolumeclaim_status_phase{phase="Lost"})'
                    ),
                    "volumes",
                ),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="VolumeFailed alerts after 5 minutes.")),
            ),
            height=4,
        ),
    )


def _room() -> Row:
    allocatable = 'sum(kube_node_status_allocatable{{resource="{}"}})'
    return row(
        "Room",
        line(
            lines(
                "Processors",
                "Cores that containers use (over 5 minutes) and ask for, and that the nodes have for them. New pods "
                "need cores that nobody has asked for.",
                [
                    prom(f"sum(rate(container_cpu_usage_seconds_total{{{_ALL}}}[{signals.WINDOW}]))", "used"),
                    prom('sum(kube_pod_container_resource_requests{resource="cpu"})', "requested"),
                    prom(allocatable.format("cpu"), "of the nodes"),
                ],
                signals.CORES,
            ),
            lines(
                "Memory",
                "Bytes that containers use and ask for, and that the nodes have for them.",
                [
                    prom(f"sum(container_memory_working_set_bytes{{{_ALL}}})", "used"),
                    prom('sum(kube_pod_container_resource_requests{resource="memory"})', "requested"),
                    prom(allocatable.format("memory"), "of the nodes"),
                ],
                signals.BYTES,
            ),
            lines(
                "Pods",
                "Pods that run, and that the nodes may run.",
                [prom("sum(kubelet_running_pods)", "running"), prom(allocatable.format("pods"), "of the nodes")],
                Look(unit=units.EXACT),
            ),
        ),
    )


def _namespaces() -> Row:
    pods = "count by (namespace) (kube_pod_info)"
    return row(
        "Namespaces",
        line(
            ranking(
                "Use by namespace",
                "Processors in cores and memory in bytes; what is used and what is asked for.",
                [
                    *signals.use_columns("cpu", _ALL, "namespace"),
                    *signals.use_columns("memory", _ALL, "namespace"),
                    Column(title="Pods", expression=pods, unit=units.EXACT),
                ],
                {"namespace": "Namespace"},
            ),
        ),
    )


def _api() -> Row:
    requests = "apiserver_request_total"
    failed = f"""
    sum(rate({requests}{{code=~"5.."}}[5m])) / sum(rate({requests}[5m]))
    """
    bucket = "apiserver_request_duration_seconds_bucket"
    slow = f"""
    1 - sum(rate({bucket}{{le=~"1|1\\\\.0"}}[5m])) / sum(rate({bucket}{{le="+Inf"}}[5m]))
    """
    return row(
        "API server",
        line(
            lines(
                "Requests by code",
                "Requests per second, over 5 minutes.",
                [prom(f"sum by (code) (rate({requests}[{signals.WINDOW}]))", "{{code}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
            lines(
                "Failed requests",
                "Share of the requests that the API server itself failed, over 5 minutes.",
                [prom(or_zero(failed), "failed")],
                Look(unit=units.RATIO, limits=_API_LIMITS),
            ),
            lines(
                "Slow requests",
                "Share of the requests that took longer than a second, over 5 minutes. Those that last by design, such "
                "as WATCH, do not count.",
                [prom(slow, "slow")],
                Look(unit=units.RATIO, limits=_SLOW_LIMITS),
            ),
            lines(
                "Requests in flight",
                "Requests that the API server works on; it refuses more than its limit with 429.",
                [prom("sum by (request_kind) (apiserver_current_inflight_requests)", "{{request_kind}}")],
                Look(unit=units.EXACT),
            ),
        ),
    )


def _dns() -> Row:
    answers = "coredns_dns_responses_total"
    failed = f"""
    sum(rate({answers}{{rcode="SERVFAIL"}}[5m])) / sum(rate({answers}[5m]))
    """
    return row(
        "DNS",
        line(
            lines(
                "Answers by code",
                "Answers per second. NXDOMAIN: the name does not exist, which is normal while programs try suffixes.",
                [prom(f"sum by (rcode) (rate({answers}[$__rate_interval]))", "{{rcode}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            lines(
                "Failed answers",
                "Share of SERVFAIL, over 5 minutes.",
                [prom(or_zero(failed), "failed")],
                Look(unit=units.RATIO, limits=_DNS_LIMITS),
            ),
            lines(
                "p99",
                "99 % of the requests are answered within this time.",
                [prom(quantile(0.99, "coredns_dns_request_duration_seconds_bucket"), "p99")],
                Look(unit=units.SECONDS),
            ),
        ),
    )


def _warnings() -> Row:
    return signals.events(
        "Warnings of all namespaces: what Kubernetes could not do, and why.", which='severity_text="Warning"'
    )
