"""A second checkout starts its own cluster beside the first, survives a kill, and leaves the host unchanged."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import debian, node_process
from local.cluster import PACKAGES
from local.paths import cache
from tests.e2e.conftest import eventually
from tests.e2e.second_checkout import local, second_checkout

# It starts a cluster three times, and needs no platform.
pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
_KERNEL = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
_FOLDERS = (
    *("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/containerd", "/run/containerd", "/etc/cni", "/var/lib/cni"),
    *("/var/lib/etcd", "/var/log/pods", "/var/log/containers", "/etc/containerd", "/opt/cni"),
)


def _host() -> dict[str, object]:
    """The state of everything on the host that a Kubernetes node usually changes."""
    firewall = {}
    for program in ("iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save"):
        saved = subprocess.run(
            ["chroot", debian.root("node", PACKAGES), f"/usr/sbin/{program}"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        firewall[program] = [line for line in saved.splitlines() if not line.startswith("#")]
    return {
        "folders": {
            name: sorted(p.name for p in Path(name).iterdir()) if Path(name).is_dir() else None for name in _FOLDERS
        },
        "firewall": firewall,
        "interfaces": sorted(p.name for p in Path("/sys/class/net").iterdir()),
        "routes": Path("/proc/net/route").read_text(),
        "mounts": sorted(line.split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "kernel": {name: Path("/proc/sys", name).read_text() for name in _KERNEL},
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/observability-*")),
    }


def _namespaces() -> set[str]:
    """Namespaces of all processes except for those of the first cluster, where other tests start pods meanwhile."""
    first = _first_cluster()
    found: set[str] = set()
    for link in Path("/proc").glob("[0-9]*/ns/*"):
        if link.parts[2] in first:
            continue
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


def _first_cluster() -> set[str]:
    """Ids of the node process of this checkout and of all its descendants, including reparented ones."""
    children: dict[str, set[str]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = file.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(parent, set()).add(file.parts[2])
    node = node_process.current()
    found, new = set[str](), {str(node.pid)} if node else set[str]()
    while new:
        found |= new
        new = {child for parent in new for child in children.get(parent, ())}
    return found


def _processes(checkout: Path) -> list[str]:
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(checkout) in (folder / "cmdline").read_text() + str((folder / "root").readlink()):
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    with second_checkout(tmp_path) as copy:
        yield copy


def test_a_second_checkout_runs_beside_the_first_and_leaves_nothing_behind(checkout: Path) -> None:
    debian.root("node", PACKAGES)
    before, namespaces_before = _host(), _namespaces()
    cached = {path.name for path in cache().iterdir()}

    # The start is killed halfway; the next run starts from the beginning.
    killed = subprocess.Popen(
        [sys.executable, "-m", "local", "cluster", "up"], cwd=checkout, stderr=subprocess.PIPE, text=True
    )
    assert killed.stderr is not None
    for line in killed.stderr:
        if "kubeadm init" in line:
            break
    time.sleep(3)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stderr.close()

    assert "is ready" in local(checkout, "cluster", "up")
    assert "Running" in local(checkout, "kubectl", "get", "pods", "-A")
    again = local(checkout, "cluster", "up").splitlines()
    assert all(line.startswith(("cluster: ", "Grafana: ")) for line in again), "a second up says only what it found"

    during = _host()
    new_links = set(during["interfaces"]) - set(before["interfaces"])  # type: ignore[call-overload]
    assert len(new_links) == 1
    assert new_links.pop().startswith("obs")
    for untouched in ("folders", "firewall", "mounts"):
        assert during[untouched] == before[untouched], untouched

    # A crash or a reboot ends every process, and leaves the disk unchanged.
    pid = json.loads((checkout / ".state/node/var/lib/node.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    # On a busy machine, `cluster up` would still see the dying node.
    eventually(lambda: not Path(f"/proc/{pid}/ns/pid").exists(), seconds=30, what="the node does not end")
    assert "starting the node again" in local(checkout, "cluster", "up")
    assert "Running" in local(checkout, "kubectl", "get", "pods", "-A")

    local(checkout, "cluster", "down")
    assert _processes(checkout) == []
    assert _host() == before
    # A pod of the first cluster that starts during the check may look like one of the second.
    eventually(lambda: _namespaces() <= namespaces_before, seconds=30, what="namespaces are left")
    assert not (checkout / ".state").exists()
    assert {path.name for path in cache().iterdir()} == cached
