"""node_exporter: it reads the node and nothing writes to it, and it counts the disks that people mean."""

import re
from collections.abc import Callable

import pytest

from components.metrics.node_exporter import NodeExporter
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]


@pytest.fixture
def made(engine: Engine, preview: bool) -> Recorded:
    return engine(
        lambda: NodeExporter(
            "nodes", {"namespace": "agents", "prometheus_namespace": "home", "prometheus": "prometheus"}
        ),
        preview=preview,
    )


def flags(made: Recorded) -> dict[str, str]:
    (one,) = made.pods
    assert one.pod
    (container,) = one.pod["spec"]["containers"]
    return dict(argument.removeprefix("--").partition("=")[::2] for argument in container["args"])


def test_the_node_is_mounted_read_only(made: Recorded) -> None:
    (one,) = made.pods
    assert one.pod
    spec = one.pod["spec"]
    (container,) = spec["containers"]
    assert [mount["readOnly"] for mount in container["volumeMounts"]] == [True]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert spec["automountServiceAccountToken"] is False


def test_every_node_but_fargates_has_one(made: Recorded) -> None:
    (one,) = made.pods
    assert one.kind == "DaemonSet"
    assert one.pod
    assert one.pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert "fargate" in str(one.pod["spec"]["affinity"])


def test_only_prometheus_may_ask(made: Recorded) -> None:
    spec = made.one("NetworkPolicy", "node-exporter").inputs["spec"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9100}]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "home"}
    assert spec["egress"] == []


@pytest.mark.parametrize(
    ("kind", "counted"), [("ext4", True), ("xfs", True), ("tmpfs", False), ("overlay", False), ("squashfs", False)]
)
def test_file_systems_that_are_disks_are_counted(made: Recorded, kind: str, counted: bool) -> None:
    assert bool(re.fullmatch(flags(made)["collector.filesystem.fs-types-exclude"], kind)) is not counted


@pytest.mark.parametrize(
    ("place", "counted"),
    [
        ("/", True),
        ("/data", True),
        ("/proc", False),
        ("/sys/fs/x", False),
        ("/var/lib/kubelet/pods/x", False),
    ],
)
def test_mounts_of_pods_are_left_out(made: Recorded, place: str, counted: bool) -> None:
    assert bool(re.match(flags(made)["collector.filesystem.mount-points-exclude"], place)) is not counted
