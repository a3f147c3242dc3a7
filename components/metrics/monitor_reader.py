"""The container beside Prometheus that reads ServiceMonitors and PodMonitors, without their operator.

Each pod of Prometheus has its own, so that none waits for another. It changes a file in a folder of the pod, which
Prometheus watches as it watches its configuration.
"""

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, VolumeArgsDict, VolumeMountArgsDict
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

from components.kubernetes import pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import labels
from components.metrics.prometheus_config import MONITORS_FOLDER
from settings import sizes, versions
from settings.apps import PROMETHEUS

NAME = "monitor-reader"
_VOLUME = "monitors"
RIGHTS: PolicyRuleArgsDict = {
    "api_groups": ["monitoring.coreos.com"],
    "resources": ["servicemonitors", "podmonitors"],
    "verbs": ["list"],
}
"""Permissions of the program at the API server. The role is valid also where these kinds of objects do not exist."""
MOUNT: VolumeMountArgsDict = {"name": _VOLUME, "mount_path": MONITORS_FOLDER, "read_only": True}
"""Where Prometheus finds the jobs."""
_PROGRAM = Path(__file__).with_name("monitors")
_FOLDER = f"/{_PROGRAM.name}"
_COMMON = "common.json"


def files() -> dict[str, str]:
    """File name -> text of each module."""
    return {file.name: file.read_text() for file in sorted(_PROGRAM.glob("*.py"))}


def config_map(
    name: str, namespace: pulumi.Input[str], common: str, child: pulumi.ResourceOptions
) -> k8s.core.v1.ConfigMap:
    """The program, and what all jobs have in common, see monitor_jobs.render."""
    return k8s.core.v1.ConfigMap(
        f"{name}-monitors",
        metadata={"name": f"{PROMETHEUS.name}-monitors", "namespace": namespace, "labels": labels(PROMETHEUS.name)},
        data={**files(), _COMMON: common},
        opts=child,
    )


def annotations(name: str) -> dict[str, pulumi.Input[str]]:
    """Annotations of the pods, which restart if the program changes. It reads the common part each time."""
    return {ANNOTATION: checksum("\n".join(files().values()), salt=name)}


def volumes() -> list[VolumeArgsDict]:
    """Volumes of the pods."""
    return [
        {"name": _VOLUME, "empty_dir": {"size_limit": "64Mi"}},
        {"name": "monitors-program", "config_map": {"name": f"{PROMETHEUS.name}-monitors"}},
    ]


def container() -> ContainerArgsDict:
    """The container."""
    variables = {"COMMON": f"{_FOLDER}/{_COMMON}", "JOBS": f"{MONITORS_FOLDER}/monitors.json"}
    return {
        "name": NAME,
        "image": versions.PYTHON_IMAGE,
        # As a module of the mounted folder, so that the modules find each other.
        "command": ["python3", "-m", f"{_PROGRAM.name}.reader"],
        "working_dir": "/",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": pods.resources(cores=sizes.CPU[NAME], memory=sizes.MEMORY[NAME]),
        "volume_mounts": [
            {"name": "monitors-program", "mount_path": _FOLDER, "read_only": True},
            {"name": _VOLUME, "mount_path": MONITORS_FOLDER},
        ],
    }
