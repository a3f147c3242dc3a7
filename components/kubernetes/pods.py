"""What every pod of the platform has in common: Pod Security `restricted`, resources, probes, spreading."""

from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    PodSecurityContextArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
)

from components.kubernetes.labels import selector

NOBODY = 65534
"""User and group of the official images."""


def pod_security(user: int = NOBODY) -> PodSecurityContextArgsDict:
    """What the `restricted` standard wants of a pod; volumes belong to the user's group."""
    return {
        "run_as_non_root": True,
        "run_as_user": user,
        "run_as_group": user,
        "fs_group": user,
        # Large volumes start slowly when every file's owner is checked each time.
        "fs_group_change_policy": "OnRootMismatch",
        "seccomp_profile": {"type": "RuntimeDefault"},
    }


def container_security() -> SecurityContextArgsDict:
    """What the `restricted` standard wants of a container, and a root file system that nobody can write."""
    return {
        "allow_privilege_escalation": False,
        "read_only_root_filesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(*, cores: float, memory: str) -> ResourceRequirementsArgsDict:
    """CPU is a request only, because a CPU limit throttles in bursts; memory is request and limit, so it is certain."""
    return {"requests": {"cpu": f"{round(cores * 1000)}m", "memory": memory}, "limits": {"memory": memory}}


def http_probe(path: str, port: str, *, period: int = 5, failures: int = 3) -> ProbeArgsDict:
    """A probe every `period` seconds that gives up after `failures` of them."""
    return {
        "http_get": {"path": path, "port": port},
        "period_seconds": period,
        "failure_threshold": failures,
        "timeout_seconds": 3,
    }


def spread(app: str) -> list[TopologySpreadConstraintArgsDict]:
    """Over nodes and zones where there are several; one node alone takes all."""
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": "ScheduleAnyway",
            "label_selector": {"match_labels": selector(app)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def secured(container: ContainerArgsDict) -> ContainerArgsDict:
    """The container with the security that all have."""
    return {**container, "security_context": container_security(), "image_pull_policy": "IfNotPresent"}
