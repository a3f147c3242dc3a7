"""Kubernetes - Node: is it ready, is there room, which pods use it."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, WARNING, Limits, Look, Word
from dashboards.builder.panels import bars, lines, states
from dashboards.builder.queries import prom
from dashboards.builder.tables import ranking
from dashboards.builder.variables import label_values
from dashboards.kubernetes import signals

_HERE = 'node=~"$node"'
_PODS = Limits(warning=0.95, why="NodePodsNearlyFull alerts after 15 minutes above 95 %.")
_CERTIFICATE = Limits(
    warning=86400, low_is_bad=True, why="KubeletCertificateExpiring alerts when less than a day is left."
)


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        shows="Node",
        purpose="Nodes as Kubernetes sees them: are they ready, is there room for pods, which pods use them? Disks and "
        "load of the machines are in SpecCursor - Infrastructure.",
        runbooks=["NodeNotReady", "NodePressure", "NodePodsNearlyFull", "KubeletCertificateExpiring"],
        logs='{namespace="kube-system"}',
    )
    variables = [label_values("node", "node", "kubelet_running_pods")]
    return dashboard(about, variables, [_state(), _room(), _pods(), _events()])


def _state() -> Row:
    condition = f"kube_node_status_condition{{{_HERE}, "
    ready = (Word(value=1, text="ready", colour=GOOD), Word(value=0, text="not ready", colour=CRITICAL))
    pressed = (Word(value=0, text="no", colour=GOOD), Word(value=1, text="yes", colour=WARNING))
    pressure = f'max by (node, condition) ({condition}condition=~".+Pressure", status="true"}})'
    closed = f"max by (node) (kube_node_spec_unschedulable{{{_HERE}}})"
    left = f"""
    min by (node) ({{__name__=~"kubelet_certificate_manager_(client|server)_ttl_seconds", {_HERE}}}) < Inf
    """
    return row(
        "State",
        line(
            states(
                "Ready",
                "Whether the kubelet reports, and can run containers.",
                [prom(f'max by (node) ({condition}condition="Ready", status="true"}})', "{{node}}")],
                Look(unit=units.EXACT, words=ready),
            ),
            states(
                "Pressure",
                "Too little disk space, memory or process ids: the kubelet evicts pods.",
                [prom(pressure, "{{node}} {{condition}}")],
                Look(unit=units.EXACT, words=pressed),
            ),
            states(
                "Closed to new pods",
                "Whether somebody cordoned or drains the node.",
                [prom(closed, "{{node}}")],
                Look(unit=units.EXACT, words=pressed),
            ),
            bars(
                "Certificate",
                "Time until the first of the kubelet's certificates expires; empty if it has none of its own.",
                prom(left, "{{node}}"),
                Look(unit=units.SECONDS, limits=_CERTIFICATE),
            ),
        ),
    )


def _room() -> Row:
    def share(part: str, resource: str) -> str:
        return f'{part} / max by (node) (kube_node_status_allocatable{{resource="{resource}", {_HERE}}})'

    def used(resource: str, part: str) -> list[Any]:
        asked = signals.requested(resource, _HERE, "node")
        return [prom(share(part, resource), "{{node}} used"), prom(share(asked, resource), "{{node}} requested")]

    return row(
        "Room",
        line(
            lines(
                "Processors",
                "Share of the cores for pods that they use, and that they ask for. At 100 % requested, no pod with a "
                "request is placed here.",
                used("cpu", signals.cpu(_HERE, "node")),
                Look(unit=units.RATIO),
            ),
            lines(
                "Memory",
                "Share of the memory for pods that they use, and that they ask for.",
                used("memory", signals.memory(_HERE, "node")),
                Look(unit=units.RATIO),
            ),
            lines(
                "Pods",
                "Share of the pods that the node may run. On EKS the addresses of its interfaces limit it.",
                [prom(share(f"max by (node) (kubelet_running_pods{{{_HERE}}})", "pods"), "{{node}}")],
                Look(unit=units.RATIO, maximum=1, limits=_PODS),
            ),
        ),
    )


def _pods() -> Row:
    by = "namespace, pod"
    return row(
        "Pods",
        line(
            ranking(
                "Use by pod",
                "Processors in cores and memory in bytes.",
                [*signals.use_columns("memory", _HERE, by), *signals.use_columns("cpu", _HERE, by)],
                {"namespace": "Namespace", "pod": "Pod"},
                wide="Pod",
            ),
        ),
    )


def _events() -> Row:
    text = "What the kubelet did on the node: pods started and ended, probes failed, images pulled, pressure."
    return signals.events(text, which='node=~"$node" or object=~"$node"')
