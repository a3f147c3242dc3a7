"""SpecCursor - Infrastructure: capacity of the nodes, state of containers and replicas."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, Limits, Look, Word
from dashboards.builder.panels import bars, lines, single, states
from dashboards.builder.queries import or_zero, prom, prom_last
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values
from dashboards.speccursor import signals

_NODE = 'node=~"$node"'
_HERE = signals.HERE
# As in NodeDiskHigh: excludes file systems in memory, images that are always full, network file systems and volumes of
# pods.
_NO_DISK = "tmpfs|devtmpfs|ramfs|overlay|squashfs|erofs|iso9660|autofs|nfs.*|cifs|fuse.*"
_DISK = f'{_NODE}, fstype!~"{_NO_DISK}", mountpoint!~"/var/lib/kubelet/.+"'
_CPU = f"""
1 - sum by (node) (rate(node_cpu_seconds_total{{{_NODE}, mode=~"idle|iowait"}}[5m]))
  / sum by (node) (rate(node_cpu_seconds_total{{{_NODE}}}[5m]))
"""
_MEMORY = f"""
1 - max by (node) (node_memory_MemAvailable_bytes{{{_NODE}}})
  / max by (node) (node_memory_MemTotal_bytes{{{_NODE}}})
"""
_CPU_LIMITS = Limits(warning=0.8, why="NodeCPUHigh alerts after 10 minutes above 80 %.")
_MEMORY_LIMITS = Limits(warning=0.85, why="NodeMemoryHigh alerts after 10 minutes above 85 %.")
_DISK_LIMITS = Limits(warning=0.8, critical=0.9, why="NodeDiskHigh pages after 5 minutes above 90 %.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-infrastructure",
        shows="Infrastructure",
        purpose="The nodes of the cluster, which all systems share, and the containers and replicas of the selected "
        "namespace: is there room, does everything run, are all replicas available?",
        runbooks=["NodeCPUHigh", "NodeMemoryHigh", "NodeDiskHigh", "PodCrashLooping", "TargetDown"],
        logs='{namespace=~"${namespace:pipe}"}',
        alerts='alertname=~"Node.+|PodCrashLooping|TargetDown"',
    )
    variables = [
        label_values("node", "node", "node_memory_MemTotal_bytes"),
        label_values("namespace", "namespace", "kube_pod_status_phase", only_these=True, first="speccursor"),
    ]
    return dashboard(about, variables, [_now(), _nodes(), _load(), _containers(), _replicas(), _use()])


def _disk() -> str:
    """Used share as in `df`: blocks reserved for root count neither as available nor as part of the total."""
    used = f"node_filesystem_size_bytes{{{_DISK}}} - node_filesystem_free_bytes{{{_DISK}}}"
    return f"max by (node, device) (({used}) / ({used} + node_filesystem_avail_bytes{{{_DISK}}} > 0))"


def _now() -> Row:
    waiting = f"sum(kube_pod_container_status_waiting_reason{{{_HERE}}})"
    unready = f"""
    sum(
      clamp_min(
        kube_deployment_spec_replicas{{{_HERE}}} - on (namespace, deployment)
        kube_deployment_status_replicas_available{{{_HERE}}},
        0
      )
    )
    """
    return row(
        "Now",
        line(
            single(
                "Nodes",
                "Nodes whose exporter answers.",
                prom(f"count(count by (node) (node_memory_MemTotal_bytes{{{_NODE}}}))", "nodes"),
                Look(unit=units.EXACT),
            ),
            single(
                "Busiest processor",
                "The node whose processors are busiest, over 5 minutes.",
                prom(f"max({_CPU})", "busy"),
                Look(unit=units.RATIO, limits=_CPU_LIMITS),
            ),
            single(
                "Fullest memory",
                "The node with the least memory left.",
                prom(f"max({_MEMORY})", "in use"),
                Look(unit=units.RATIO, limits=_MEMORY_LIMITS),
            ),
            single(
                "Fullest disk",
                "The file system with the least room left.",
                prom(f"max({_disk()})", "in use"),
                Look(unit=units.RATIO, limits=_DISK_LIMITS),
            ),
            single(
                "Containers waiting",
                "Containers of the namespace that do not run; the panel below shows the reasons.",
                prom(or_zero(waiting), "containers"),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="only a starting pod has one.")),
            ),
            single(
                "Replicas missing",
                "Desired pods of the namespace's deployments that are not available.",
                prom(unready, "pods"),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="none is missing outside of rollouts.")),
            ),
            height=4,
        ),
    )


def _nodes() -> Row:
    return row(
        "Nodes",
        line(
            lines(
                "Processors",
                "Share of each node's processor time in use, over 5 minutes.",
                [prom(_CPU, "{{node}}")],
                Look(unit=units.RATIO, maximum=1, limits=_CPU_LIMITS),
            ),
            lines(
                "Memory",
                "Share of each node's memory that is not available to programs.",
                [prom(_MEMORY, "{{node}}")],
                Look(unit=units.RATIO, maximum=1, limits=_MEMORY_LIMITS),
            ),
            bars(
                "Disks",
                "Share of each file system in use, as in df.",
                prom(_disk(), "{{node}} {{device}}"),
                Look(unit=units.RATIO, maximum=1, limits=_DISK_LIMITS),
            ),
        ),
    )


def _load() -> Row:
    load = f"""
    max by (node) (node_load5{{{_NODE}}})
    / count by (node) (node_cpu_seconds_total{{{_NODE}, mode="idle"}})
    """
    rate = f"sum by (node) (rate(node_disk_{{what}}_bytes_total{{{{{_NODE}}}}}[$__rate_interval]))"
    left = f"min by (node, device) (node_filesystem_avail_bytes{{{_DISK}}})"
    return row(
        "Load of the nodes",
        line(
            lines(
                "Load per processor",
                "Processes that run or wait for a processor, per processor, as the mean of 5 minutes.",
                [prom(load, "{{node}}")],
                Look(unit=units.COUNT, at_least=1, limits=Limits(warning=1, why="above 1 processes wait.")),
            ),
            lines(
                "Disk traffic",
                "Bytes per second read from and written to disks.",
                [prom(rate.format(what=what), f"{{{{node}}}} {what}") for what in ("read", "written")],
                Look(unit=units.BYTES_PER_SECOND),
            ),
            lines(
                "Room left on disks",
                "Free space for programs. A steady fall shows when the disk will be full.",
                [prom(left, "{{node}} {{device}}")],
                Look(unit=units.BYTES),
            ),
        ),
    )


def _containers() -> Row:
    restarts = f"sum by (pod, container) (increase(kube_pod_container_status_restarts_total{{{_HERE}}}[1h]))"
    reasons = f"sum by (reason) (kube_pod_container_status_waiting_reason{{{_HERE}}})"
    ended = f"sum by (pod, container, reason) (kube_pod_container_status_last_terminated_reason{{{_HERE}}}) > 0"
    return row(
        "Containers",
        line(
            lines(
                "Pods by phase",
                "Pods of the namespace. A pending pod has no node, no image or no volume yet.",
                [prom(f"sum by (phase) (kube_pod_status_phase{{{_HERE}}}) > 0", "{{phase}}")],
                Look(unit=units.EXACT, stacked=True),
            ),
            lines(
                "Restarts by container",
                "Restarts within the hour before each point.",
                [prom(restarts, "{{pod}} {{container}}")],
                Look(unit=units.EXACT, decimals=0),
            ),
            lines(
                "Containers that wait, by reason",
                "CrashLoopBackOff: the container crashes repeatedly. ImagePullBackOff: its image cannot be pulled. "
                "CreateContainerConfigError: a Secret or ConfigMap is missing.",
                [prom(or_zero(reasons, "reason"), "{{reason}}")],
                Look(unit=units.EXACT),
            ),
        ),
        line(
            ranking(
                "How containers ended last",
                "Restarted containers, and why their previous run ended. OOMKilled: the memory limit is too low.",
                [Column(title="Containers", expression=ended, unit=units.EXACT)],
                {"pod": "Pod", "container": "Container", "reason": "Reason"},
            ),
            height=6,
        ),
    )


def _replicas() -> Row:
    words = (Word(value=1, text="all available", colour=GOOD), Word(value=0, text="some missing", colour=CRITICAL))
    wanted = f"kube_deployment_spec_replicas{{{_HERE}}}"
    available = f"kube_deployment_status_replicas_available{{{_HERE}}}"
    complete = f"""
    max by (deployment) ({available})
    >= bool
    max by (deployment) ({wanted})
    """
    return row(
        "Scaling",
        line(
            lines(
                "Replicas wanted",
                "Desired pods of each deployment. A step is a manual or automatic change of scale.",
                [prom(f"max by (deployment) ({wanted})", "{{deployment}}")],
                Look(unit=units.EXACT),
            ),
            lines(
                "Replicas available",
                "Ready pods of each deployment. If too few are ready for long, see the containers above.",
                [prom(f"max by (deployment) ({available})", "{{deployment}}")],
                Look(unit=units.EXACT),
            ),
            states(
                "Deployments complete",
                "Whether all desired pods of each deployment are available.",
                [prom(complete, "{{deployment}}")],
                Look(unit=units.EXACT, words=words),
            ),
        ),
    )


def _use() -> Row:
    oldest = f"min by (pod) (time() - process_start_time_seconds{{{_HERE}}})"
    return row(
        "Resources of the pods",
        line(
            lines(
                "Memory by pod",
                "Resident memory as each program reports it.",
                [prom(f"sum by (pod) (process_resident_memory_bytes{{{_HERE}}})", "{{pod}}")],
                Look(unit=units.BYTES),
            ),
            lines(
                "CPU by pod",
                "Processor cores in use, as each program reports it.",
                [prom(f"sum by (pod) (rate(process_cpu_seconds_total{{{_HERE}}}[$__rate_interval]))", "{{pod}}")],
                Look(unit=units.COUNT),
            ),
            bars(
                "Time since start",
                "How long each program has been running.",
                prom_last(oldest, "{{pod}}"),
                Look(unit=units.SECONDS),
            ),
        ),
    )
