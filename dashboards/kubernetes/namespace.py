"""Kubernetes - Namespace: what its workloads use, what does not run, how much of its quota is left."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import bars, lines, single
from dashboards.builder.queries import or_zero, prom, prom_last
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values
from dashboards.kubernetes import signals

_HERE = 'namespace=~"$namespace"'
_ANY = ".+"
_BY = "namespace, workload"
_QUOTA_LIMITS = Limits(warning=0.9, why="ResourceQuotaNearlyFull alerts after 15 minutes above 90 %.")
_AUTOSCALER_LIMITS = Limits(warning=1, why="AutoscalerAtMaximum alerts after 15 minutes at the maximum.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        shows="Namespace",
        purpose="The workloads of a namespace: what do they use, what does not run, how much of the quota is left?",
        runbooks=["PodNotStarted", "JobFailed", "AutoscalerAtMaximum", "ResourceQuotaNearlyFull"],
        logs='{namespace=~"${namespace:pipe}"}',
    )
    variables = [label_values("namespace", "namespace", "kube_pod_info", only_these=True)]
    used = row("Use by workload", signals.use(_HERE, _BY, "{{workload}}", _ANY))
    return dashboard(about, variables, [_now(), used, _workloads(), _limits(), _events()])


def _now() -> Row:
    restarts = f"sum(increase(kube_pod_container_status_restarts_total{{{_HERE}}}[$__range]))"
    return row(
        "Now",
        line(
            lines(
                "Pods by phase",
                "A pending pod has no node, no image or no volume yet.",
                [prom(f"sum by (phase) (kube_pod_status_phase{{{_HERE}}}) > 0", "{{phase}}")],
                Look(unit=units.EXACT, stacked=True),
            ),
            lines(
                "Containers that wait, by reason",
                "CrashLoopBackOff: the container crashes repeatedly. ImagePullBackOff: its image cannot be pulled. "
                "CreateContainerConfigError: a Secret or ConfigMap is missing.",
                [
                    prom(
                        or_zero(f"sum by (reason) (kube_pod_container_status_waiting_reason{{{_HERE}}})", "reason"),
                        "{{reason}}",
                    )
                ],
                Look(unit=units.EXACT),
            ),
            single(
                "Restarts",
                "Restarts of containers within the time range.",
                prom_last(restarts, "restarts"),
                Look(unit=units.EXACT, decimals=0, limits=Limits(warning=1, why="a healthy container never restarts.")),
            ),
            single(
                "Jobs failed",
                "Jobs that gave up and were not deleted.",
                prom(or_zero(f'sum(kube_job_failed{{condition="true", {_HERE}}})'), "jobs"),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="JobFailed alerts for each of them.")),
            ),
            height=8,
            widths=(8, 8, 4, 4),
        ),
    )


def _workloads() -> Row:
    return row(
        "Workloads",
        line(
            ranking(
                "Use and requests by workload",
                "Processors in cores and memory in bytes. A workload that uses far less than it requests keeps others "
                "from the nodes; one that uses more is the first to be evicted.",
                [
                    Column(title="Cores used", expression=signals.cpu(_HERE, _BY, _ANY), unit=units.COUNT),
                    Column(
                        title="Cores requested",
                        expression=signals.requested("cpu", _HERE, _BY, _ANY),
                        unit=units.COUNT,
                    ),
                    Column(title="Memory used", expression=signals.memory(_HERE, _BY, _ANY), unit=units.BYTES),
                    Column(
                        title="Memory requested",
                        expression=signals.requested("memory", _HERE, _BY, _ANY),
                        unit=units.BYTES,
                    ),
                    Column(
                        title="Memory limit",
                        expression=signals.requested("memory", _HERE, _BY, _ANY, limit=True),
                        unit=units.BYTES,
                    ),
                    Column(
                        title="Pods",
                        expression=f"count by ({_BY}) (pod:workload:info{{{_HERE}}})",
                        unit=units.EXACT,
                    ),
                ],
                {"namespace": "Namespace", "workload": "Workload"},
                wide="Workload",
            ),
        ),
    )


def _limits() -> Row:
    quota = f"""
    max by (namespace, resourcequota, resource) (
      kube_resourcequota{{type="used", {_HERE}}}
      / ignoring (type) (kube_resourcequota{{type="hard", {_HERE}}} > 0)
    )
    """
    scaled = f"""
    max by (namespace, horizontalpodautoscaler) (
      kube_horizontalpodautoscaler_status_current_replicas{{{_HERE}}}
      / kube_horizontalpodautoscaler_spec_max_replicas{{{_HERE}}}
    )
    """
    return row(
        "Room to grow",
        line(
            bars(
                "Quotas",
                "Share of each quota in use; empty without a quota.",
                prom(quota, "{{namespace}} {{resource}}"),
                Look(unit=units.RATIO, maximum=1, limits=_QUOTA_LIMITS),
            ),
            bars(
                "Autoscalers",
                "Pods of each autoscaler as a share of its maximum; empty without an autoscaler.",
                prom(scaled, "{{namespace}} {{horizontalpodautoscaler}}"),
                Look(unit=units.RATIO, maximum=1, limits=_AUTOSCALER_LIMITS),
            ),
        ),
    )


def _events() -> Row:
    return signals.events("What Kubernetes did in the namespace, and what it could not do.", _HERE)
