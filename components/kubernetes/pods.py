"""Common parts of the platform's pods: Pod Security `restricted`, resources, probes and topology spread."""

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    PodSecurityContextArgsDict,
    PodSpecArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
)

from components.kubernetes.labels import selector
from settings import versions

USERS = {
    "grafana": 472,  # of the official image, which may not start as another
    "loki": 10001,  # likewise
    "node-exporter": 49100,
    "kube-state-metrics": 49101,
    "alertmanager": 49102,
    "prometheus": 49103,
    "jaeger": 49104,
    "otel-gateway": 49105,
    "receiver": 49106,
    "simulator": 49107,
    "job": 49108,
    "otel-events": 49109,
    "workspace-proxy": 49110,
    "page-gate": 49111,
}
"""User and group id of each program. A program of another user reads neither its memory nor its files: most official
images have the same user, 65534, and so their pods would on one node."""
_DISK = "256Mi"
"""For logs that the node keeps, the container's own files, and small empty folders."""


def pod_security(user: int) -> PodSecurityContextArgsDict:
    """The pod's security context for the `restricted` standard. Volumes belong to the user's group."""
    return {
        "run_as_non_root": True,
        "run_as_user": user,
        "run_as_group": user,
        "fs_group": user,
        # Checking the owner of every file at each start would delay pods with large volumes.
        "fs_group_change_policy": "OnRootMismatch",
        "seccomp_profile": {"type": "RuntimeDefault"},
    }


def container_security() -> SecurityContextArgsDict:
    """The container's security context for the `restricted` standard, with a read-only root file system."""
    return {
        "allow_privilege_escalation": False,
        "read_only_root_filesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(*, cores: float, memory: str, disk: str = _DISK) -> ResourceRequirementsArgsDict:
    """Requests CPU and memory. CPU has no limit, because a limit throttles bursts; memory has a limit equal to its
    request, so that it is guaranteed.

    A pod that writes more than `disk` onto its node, besides its volumes, is evicted before it fills the node.
    """
    return {
        # Reserves no disk: some nodes do not say how much they have, and would get no pod.
        "requests": {"cpu": f"{round(cores * 1000)}m", "memory": memory, "ephemeral-storage": "0"},
        "limits": {"memory": memory, "ephemeral-storage": disk},
    }


def http_probe(path: str, port: str, *, period: int = 5, failures: int = 3) -> ProbeArgsDict:
    """An HTTP probe every `period` seconds, which fails after `failures` failed attempts."""
    return {
        "http_get": {"path": path, "port": port},
        "period_seconds": period,
        "failure_threshold": failures,
        "timeout_seconds": 3,
    }


def spread(app: str) -> list[TopologySpreadConstraintArgsDict]:
    """Spreads the pods over nodes and zones if there are several; a single node runs them all."""
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": "ScheduleAnyway",
            "label_selector": {"match_labels": selector(app)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def program_pod(container: ContainerArgsDict, *, volume: str, folder: str, config_map: str) -> PodSpecArgsDict:
    """Spec of a Job's pod that runs a Python program of a ConfigMap once.

    `container` has the name, the command and the variables. `volume` names the ConfigMap's volume, which is mounted at
    `folder`.
    """
    run: ContainerArgsDict = {
        **container,
        "image": versions.PYTHON_IMAGE,
        "resources": resources(cores=0.01, memory="64Mi"),
        # Shows the last lines of the log as the reason of a failure.
        "termination_message_policy": "FallbackToLogsOnError",
        "volume_mounts": [{"name": volume, "mount_path": folder, "read_only": True}],
    }
    return {
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pod_security(USERS["job"]),
        "restart_policy": "Never",
        "containers": [secured(run)],
        "volumes": [{"name": volume, "config_map": {"name": config_map}}],
    }


def secured(container: ContainerArgsDict) -> ContainerArgsDict:
    """The container with the common security context and pull policy."""
    return {**container, "security_context": container_security(), "image_pull_policy": "IfNotPresent"}
