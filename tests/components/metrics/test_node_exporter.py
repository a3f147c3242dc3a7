"""node_exporter reads the node without write access, and counts only real disks."""

import re
from collections.abc import Callable

import pytest

from components.metrics.node_exporter import NodeExporter
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]


@pytest.fixture
def exporter(engine: Engine, preview: bool) -> Recorded:
    return engine(
        lambda: NodeExporter(
            "nodes", {"namespace": "agents", "prometheus_namespace": "home", "prometheus": "prometheus"}
        ),
        preview=preview,
    )


def flags(exporter: Recorded) -> dict[str, str]:
    (one,) = exporter.pods
    assert one.pod
    (container,) = one.pod["spec"]["containers"]
    return dict(argument.removeprefix("--").partition("=")[::2] for argument in container["args"])


def test_the_node_is_mounted_read_only(exporter: Recorded) -> None:
    (one,) = exporter.pods
    assert one.pod
    spec = one.pod["spec"]
    (container,) = spec["containers"]
    assert all(mount["readOnly"] is True for mount in container["volumeMounts"])
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert spec["automountServiceAccountToken"] is False


def test_what_the_node_unmounts_is_not_in_use_here(exporter: Recorded) -> None:
    """The API server refuses `recursiveReadOnly` beside it."""
    (one,) = exporter.pods
    assert one.pod
    (container,) = one.pod["spec"]["containers"]
    (root,) = (mount for mount in container["volumeMounts"] if mount["name"] == "root")
    assert root["mountPropagation"] == "HostToContainer"
    assert "recursiveReadOnly" not in root


def test_processes_and_writable_folders_of_the_node_are_hidden(exporter: Recorded) -> None:
    """With the node's /proc, a process reads the memory and files of all others of its user."""
    (one,) = exporter.pods
    assert one.pod
    spec = one.pod["spec"]
    (container,) = spec["containers"]
    kinds = {volume["name"]: volume.keys() - {"name"} for volume in spec["volumes"]}
    hidden = {mount["mountPath"] for mount in container["volumeMounts"] if kinds[mount["name"]] == {"emptyDir"}}
    assert hidden == {f"/host/root/{folder}" for folder in ("dev", "proc", "run", "sys", "tmp")}
    assert not {"path.procfs", "path.sysfs"} & flags(exporter).keys()


def test_every_linux_node_except_fargate_has_one(exporter: Recorded) -> None:
    (one,) = exporter.pods
    assert one.kind == "DaemonSet"
    assert one.pod
    assert one.pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert all(name in str(one.pod["spec"]["affinity"]) for name in ("fargate", "linux"))


def test_only_prometheus_may_scrape_it(exporter: Recorded) -> None:
    spec = exporter.one("NetworkPolicy", "node-exporter").inputs["spec"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9100}]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "home"}
    assert spec["egress"] == []


@pytest.mark.parametrize(
    ("kind", "counted"), [("ext4", True), ("xfs", True), ("tmpfs", False), ("overlay", False), ("squashfs", False)]
)
def test_only_file_systems_on_disks_are_counted(exporter: Recorded, kind: str, counted: bool) -> None:
    assert bool(re.fullmatch(flags(exporter)["collector.filesystem.fs-types-exclude"], kind)) is not counted


@pytest.mark.parametrize(
    ("place", "counted"),
    [
        ("/", True),
        ("/data", True),
        ("/proc", False),
        ("/tmp", False),  # noqa: S108 -- a mount point of the node
        ("/etc/hosts", False),
        ("/etc", True),
        ("/sys/fs/x", False),
        ("/var/lib/kubelet/pods/x", False),
    ],
)
def test_mounts_of_pods_are_left_out(exporter: Recorded, place: str, counted: bool) -> None:
    assert bool(re.match(flags(exporter)["collector.filesystem.mount-points-exclude"], place)) is not counted
