"""Kubernetes - Workload: its replicas, what its pods use, and why its containers ended."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines
from dashboards.builder.queries import or_zero, prom
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values
from dashboards.kubernetes import signals

_HERE = 'namespace=~"$namespace"'
_WHICH = "$workload"
_THROTTLED = Limits(warning=0.5, why="ContainerThrottled alerts after 15 minutes above 50 %.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        shows="Workload",
        purpose="The pods of a Deployment, StatefulSet, DaemonSet or Job: are all there, what do they use, why did "
        "their containers end?",
        runbooks=["ContainerOOMKilled", "ContainerThrottled", "WorkloadReplicasMissing", "DeploymentRolloutStuck"],
        logs='{namespace=~"${namespace:pipe}"}',
    )
    variables = [
        label_values("namespace", "namespace", "kube_pod_info", only_these=True),
        label_values("workload", "workload", f"pod:workload:info{{{_HERE}}}"),
    ]
    used = row("Use by pod", signals.use(_HERE, "pod", "{{pod}}", _WHICH))
    return dashboard(about, variables, [_replicas(), used, _limits(), _containers(), _events()])


def _replicas() -> Row:
    kinds = {
        "deployment": ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"),
        "statefulset": ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready"),
        "daemonset": ("kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_available"),
    }
    panels = [
        lines(
            f"Replicas of {kind}s",
            "Pods that are wanted, and that are ready. Fewer ready ones for long: see the containers below.",
            [
                prom(f'max by ({kind}) ({metric}{{{_HERE}, {kind}=~"{_WHICH}"}})', f"{{{{{kind}}}}} {word}")
                for metric, word in zip(metrics, ("wanted", "ready"), strict=True)
            ],
            Look(unit=units.EXACT),
        )
        for kind, metrics in kinds.items()
    ]
    return row("Replicas", line(*panels))


def _limits() -> Row:
    used = signals.memory(_HERE, "pod, container", _WHICH)
    limit = signals.requested("memory", _HERE, "pod, container", _WHICH, limit=True)
    cores = signals.cpu(_HERE, "pod, container", _WHICH)
    request = signals.requested("cpu", _HERE, "pod, container", _WHICH)
    throttled = signals.of_workload(f"rate(container_cpu_cfs_throttled_periods_total{{{_HERE}}}[5m])", _WHICH)
    periods = signals.of_workload(f"rate(container_cpu_cfs_periods_total{{{_HERE}}}[5m])", _WHICH)
    return row(
        "Requests and limits",
        line(
            lines(
                "Memory of its limit",
                "Share of the memory limit in use. At 100 % the container is ended.",
                [prom(f"{used} / {limit}", "{{pod}} {{container}}")],
                Look(unit=units.RATIO, limits=Limits(warning=0.9, why="little is left for a peak.")),
            ),
            lines(
                "Processors of the request",
                "Cores in use as a share of what the container asks for. For long above 100 %: ask for more.",
                [prom(f"{cores} / {request}", "{{pod}} {{container}}")],
                Look(unit=units.RATIO),
            ),
            lines(
                "Throttled",
                "Share of the periods in which a container reached its CPU limit, over 5 minutes; 0 without a limit.",
                [
                    prom(
                        or_zero(f"sum by (pod, container) ({throttled}) / sum by (pod, container) ({periods})", "pod"),
                        "{{pod}} {{container}}",
                    )
                ],
                Look(unit=units.RATIO, limits=_THROTTLED),
            ),
        ),
    )


def _containers() -> Row:
    restarts = signals.of_workload(f"increase(kube_pod_container_status_restarts_total{{{_HERE}}}[1h])", _WHICH)
    ended = signals.of_workload(f"kube_pod_container_status_last_terminated_reason{{{_HERE}}}", _WHICH)
    age = signals.of_workload(f"(time() - kube_pod_container_status_last_terminated_timestamp{{{_HERE}}})", _WHICH)
    return row(
        "Containers",
        line(
            lines(
                "Restarts by container",
                "Restarts within the hour before each point.",
                [prom(f"sum by (pod, container) ({restarts})", "{{pod}} {{container}}")],
                Look(unit=units.EXACT, decimals=0),
            ),
            ranking(
                "How containers ended last",
                "Restarted containers, and why and how long ago their previous run ended. OOMKilled: the memory limit "
                "is too low.",
                [
                    Column(
                        title="Ended before",
                        expression=f"max by (pod, container, reason) ({ended} > 0) * on (pod, container) group_left () "
                        f"min by (pod, container) ({age})",
                        unit=units.SECONDS,
                    )
                ],
                {"pod": "Pod", "container": "Container", "reason": "Reason"},
                smallest_first=True,
            ),
        ),
    )


def _events() -> Row:
    """The names of a workload's pods and ReplicaSets begin with its name."""
    text = (
        "What Kubernetes did with the workload and its pods: started, moved, scaled, ended, and what it could not do."
    )
    return signals.events(text, _HERE, 'object=~"(?:$workload).*"')
