"""node_exporter: one pod on each node that exposes the node's load and the usage of its resources."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, PodSpecArgsDict

from components.kubernetes import network_policies, pods
from components.kubernetes.labels import labels, scrape, selector
from components.kubernetes.nodes import REAL_NODES
from settings import sizes, versions
from settings.apps import NODE_EXPORTER

APP = NODE_EXPORTER.name
PORT = NODE_EXPORTER.port
_ROOT = "/host/root"
# Folders of the node without disks. An empty one hides each: a mount that is read-only leaves those below it writable,
# and the node's /proc leads to the files of every process.
_HIDDEN = ("dev", "proc", "run", "sys", "tmp")
_COLLECTORS = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "pressure", "uname", "vmstat")
# File systems that are not disks of the node: virtual ones of the kernel, containers' views of disks that are already
# counted, and images, which are always full.
_NO_FILE_SYSTEMS = (
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|fuse.*|hugetlbfs|iso9660|mqueue|nsfs|overlay|"
    "proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tmpfs|tracefs"
)
# The last three are files that the container runtime mounts.
_NO_MOUNT_POINTS = (
    "/(dev|proc|run|sys|tmp|etc/(hosts|hostname|resolv.conf)|var/lib/(docker|containerd|kubelet)/.+)($|/)"
)


class NodeExporterArgs(TypedDict):
    """Arguments of NodeExporter."""

    namespace: pulumi.Input[str]
    """An existing namespace whose Pod Security level is `privileged`: the pods mount the node's root, read-only."""
    prometheus_namespace: str
    prometheus: str
    """App in `prometheus_namespace` that scrapes it."""


class NodeExporter(pulumi.ComponentResource):
    """CPU, memory, disks and load of each node, as `node_*` metrics with the label `node`."""

    def __init__(self, name: str, args: NodeExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:NodeExporter", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        network_policies.app_network(
            f"{name}-network",
            {
                "app": APP,
                "namespace": namespace,
                "ingress": [
                    {
                        "from_": [network_policies.app_in(args["prometheus_namespace"], args["prometheus"])],
                        "ports": network_policies.tcp(PORT),
                    }
                ],
            },
            child,
        )
        k8s.apps.v1.DaemonSet(
            f"{name}-daemonset",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.NODE_EXPORTER)},
            spec={
                "selector": {"match_labels": selector(APP)},
                "update_strategy": {"type": "RollingUpdate", "rolling_update": {"max_unavailable": "10%"}},
                "template": {
                    "metadata": {"labels": labels(APP, versions.NODE_EXPORTER), "annotations": scrape(PORT)},
                    "spec": _pod(),
                },
            },
            opts=child,
        )
        self.register_outputs({"port": PORT})


def _pod() -> PodSpecArgsDict:
    return {
        "automount_service_account_token": False,
        "enable_service_links": False,
        # Tainted nodes can run full, too.
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"node_affinity": REAL_NODES},
        "security_context": pods.pod_security(pods.USERS[APP]),
        "termination_grace_period_seconds": 10,
        "containers": [pods.secured(_container())],
        "volumes": [
            {"name": "root", "host_path": {"path": "/", "type": "Directory"}},
            {"name": "nothing", "empty_dir": {"medium": "Memory", "size_limit": "1Mi"}},
        ],
    }


def _container() -> ContainerArgsDict:
    return {
        "name": APP,
        "image": versions.NODE_EXPORTER_IMAGE,
        "args": [
            # The container's own /proc and /sys have the node's processors, memory and disks.
            f"--path.rootfs={_ROOT}",
            f"--web.listen-address=:{PORT}",
            "--collector.disable-defaults",
            *(f"--collector.{collector}" for collector in _COLLECTORS),
            f"--collector.filesystem.fs-types-exclude=^({_NO_FILE_SYSTEMS})$",
            f"--collector.filesystem.mount-points-exclude=^{_NO_MOUNT_POINTS}",
        ],
        "ports": [{"name": "http", "container_port": PORT, "protocol": "TCP"}],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=sizes.MEMORY[APP]),
        "startup_probe": pods.http_probe("/", "http", failures=12),
        "liveness_probe": pods.http_probe("/", "http", failures=6),
        "readiness_probe": pods.http_probe("/", "http"),
        "volume_mounts": [
            # Mounting and unmounting on the node go on here, too: a disk that is mounted later is measured, and one
            # that is unmounted is no longer in use here. `recursiveReadOnly` would forbid that.
            {"name": "root", "mount_path": _ROOT, "read_only": True, "mount_propagation": "HostToContainer"},
            *({"name": "nothing", "mount_path": f"{_ROOT}/{folder}", "read_only": True} for folder in _HIDDEN),
        ],
    }
