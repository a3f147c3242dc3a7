"""Starts and removes a real one-node Kubernetes in its own Linux namespaces."""

import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from local import debian, grafana_pull, image_registry, images, node_process, toolchain
from local.errors import LocalError
from local.node_process import NODE_ROOT, Node
from local.paths import KUBECONFIG, OTHER_STACKS, ROOT, STATE, cache, private
from local.progress import say, step
from settings import versions

PACKAGES = (
    *("bash", "coreutils", "dash", "util-linux", "mount", "grep", "sed", "procps", "iproute2", "tini", "runit"),
    *("iptables", "conntrack", "ipset", "ethtool", "socat", "kmod"),
    *("containerd", "runc", "containernetworking-plugins"),
)
"""Debian packages for the node's root folder."""
IPV6 = Path("/proc/sys/net/ipv6")
"""Folder of the kernel's settings for IPv6, if it has IPv6."""
_READY = STATE / "cluster-ready"
# Go keeps downloads and compiled packages: 22 GiB for all tools, which `go clean -cache -modcache` frees.
_FREE_TO_BUILD_GIB = 24
_FREE_TO_RUN_GIB = 3
_VOLUMES = 40


def up() -> None:
    """Start the cluster. A running cluster only gets missing images and new volumes for released ones.

    Raises LocalError, with an alternative, if this machine cannot run it.
    """
    registry = image_registry.used()
    _check_machine(builds=not registry)
    if not registry:
        toolchain.ensure()
    STATE.mkdir(exist_ok=True)
    node = node_process.current()
    if not _READY.exists():
        down()
        STATE.mkdir(exist_ok=True)
        image_registry.remember(registry)
        node = _create(registry)
    elif node is None:
        say("cluster: starting the node again")
        node = node_process.start()
    _wait_for(lambda: _healthy(node), "containerd", 30)
    if registry:
        image_registry.connect(node, registry)
    else:
        for reference in images.ensure(node, grafana_pull.archive()):
            say(f"cluster: image {reference}")
    if not _READY.exists():
        if registry:
            image_registry.unpack_programs(node, registry)
        _initialise(node)
    _wait_for(_api_ready, "the API server", 120)
    _storage()
    _kubectl("apply", "--filename=-", stdin=json.dumps(DNS_POLICY))
    # kubeadm makes a token with which further nodes join for a day, and none does.
    _kubectl("delete", "secrets", "--namespace=kube-system", "--field-selector=type=bootstrap.kubernetes.io/token")
    _wait_for(_system_ready, "the node and cluster DNS", 180)
    if not _READY.exists():
        _READY.touch()
        say(f"cluster: Kubernetes {versions.KUBERNETES} is ready, {KUBECONFIG.relative_to(ROOT)}")


def down() -> None:
    """End the cluster and remove everything that belongs to it. Safe to repeat."""
    node_process.stop()
    forget()


def exists() -> bool:
    """Whether this checkout has an embedded cluster, running or not."""
    return NODE_ROOT.exists()


def forget() -> None:
    """Remove this checkout's state. Safe to repeat.

    Keeps the engine's state of stacks on other clusters, because it is needed to remove them there.
    """
    if not STATE.exists():
        return
    keep_other_stacks = OTHER_STACKS.exists() and any(OTHER_STACKS.iterdir())
    for entry in STATE.iterdir():
        if keep_other_stacks and entry == OTHER_STACKS:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not keep_other_stacks:
        STATE.rmdir()


def _check_machine(*, builds: bool) -> None:
    instead = "Use your own cluster instead: KUBE_CONTEXT=name make up"
    if platform.system() != "Linux":
        raise LocalError(f"the embedded cluster runs on Linux only; this is {platform.system()}. {instead}")
    if os.geteuid() != 0:
        raise LocalError(f"the embedded cluster needs root (it creates namespaces, mounts and cgroups). {instead}")
    building = builds and bool(toolchain.missing())
    for folder, needed in ((cache(), _FREE_TO_BUILD_GIB if building else 1), (ROOT, _FREE_TO_RUN_GIB)):
        free = shutil.disk_usage(folder).free / 2**30
        if free < needed:
            raise LocalError(f"disk nearly full: {folder} has {free:.1f} GiB free, {needed} GiB are needed")


def _create(registry: str) -> Node:
    say("cluster: creating the node")
    shutil.copytree(debian.root("node", PACKAGES), NODE_ROOT, symlinks=True)
    for name in () if registry else image_registry.PROGRAMS:
        target = NODE_ROOT / "usr/local/bin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(toolchain.built(name), target)
    source = ROOT / "local/node"
    etc = NODE_ROOT / "etc"
    shutil.copytree(source / "service", etc / "node")
    for folder in ("etc/containerd", "etc/cni/net.d", "var/lib", "var/tmp", "var/log", "opt"):
        (NODE_ROOT / folder).mkdir(parents=True, exist_ok=True)
    pause = image_registry.reference(f"registry.k8s.io/pause:{versions.PAUSE}", registry)
    (etc / "containerd/config.toml").write_text(_rendered(source / "containerd.toml", PAUSE=pause))
    network = pod_network((source / "bridge.conflist").read_text(), ipv6=IPV6.is_dir())
    (etc / "cni/net.d/10-bridge.conflist").write_text(network)
    for name in ("passwd", "group"):
        (etc / name).write_text("root:x:0:0:root:/root:/bin/bash\n" if name == "passwd" else "root:x:0:\n")
    node = node_process.start()
    # No resolver outside the cluster: the node refuses at once, as nothing listens on its port 53.
    (etc / "resolv.conf").write_text(f"nameserver {node.address}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{node.address} local\n")
    kubeadm = _rendered(
        source / "kubeadm.yaml",
        NODE_ADDRESS=node.address,
        KUBERNETES=versions.KUBERNETES,
        IMAGES=pause.rpartition("/")[0],
        COREDNS=versions.COREDNS,
        ETCD=versions.ETCD,
        CGROUP=node.cgroup,
    )
    (etc / "kubeadm.yaml").write_text(kubeadm)
    return node


def pod_network(template: str, *, ipv6: bool) -> str:
    """The CNI configuration. A kernel without IPv6 lacks the settings that the plugin `tuning` would change."""
    network = json.loads(template)
    network["plugins"] = [plugin for plugin in network["plugins"] if ipv6 or plugin["type"] != "tuning"]
    return json.dumps(network, indent=2) + "\n"


def _initialise(node: Node) -> None:
    with step("cluster: kubeadm init"):
        node.run(
            *("kubeadm", "init", "--config=/etc/kubeadm.yaml", "--ignore-preflight-errors=all"),
            # kube-proxy and the NetworkPolicy controller run as services of the node, not as pods.
            "--skip-phases=preflight,addon/kube-proxy,show-join-command",
        )
    shutil.copy2(NODE_ROOT / "etc/kubernetes/admin.conf", KUBECONFIG)
    KUBECONFIG.chmod(0o600)
    # One node needs only one DNS server; this leaves more of the CPU for the platform.
    _kubectl("scale", "--namespace=kube-system", "deployment/coredns", "--replicas=1")


DNS_POLICY: dict[str, object] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "dns", "namespace": "kube-system"},
    "spec": {
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
            {
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "observability"}},
                        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 9153}],
            },
        ],
    },
}
"""Of the cluster's DNS server, all pods reach only DNS, and Prometheus its metrics. The node reaches its health."""


def _storage() -> None:
    """Create the default StorageClass and its volumes; a released volume is replaced by an empty one."""
    manifests = [_STORAGE_CLASS]
    answer = json.loads(_kubectl("get", "persistentvolumes", "--output=json"))
    phases: dict[str, str] = {item["metadata"]["name"]: item["status"].get("phase", "") for item in answer["items"]}
    volumes = NODE_ROOT / "var/lib/volumes"
    # Pods reach their volumes by mounts of the kubelet; users of this machine need none of them.
    private(volumes)
    for number in range(_VOLUMES):
        name, folder = f"local-{number:02d}", volumes / f"{number:02d}"
        if phases.get(name) in ("Released", "Failed"):
            _kubectl("delete", "persistentvolume", name)
            shutil.rmtree(folder)
        elif name in phases:
            continue
        folder.mkdir(exist_ok=True)
        manifests.append(_volume(name, f"/var/lib/volumes/{number:02d}"))
    if len(manifests) > 1:
        # A list, because kubectl before 1.33 reads no second document after one of JSON.
        _kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


_STORAGE_CLASS: dict[str, object] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def _volume(name: str, path: str) -> dict[str, object]:
    """A `local` volume. Unlike for a host path, the kubelet changes its group to the pod's fsGroup."""
    on_this_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["local"]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_this_node]}]}},
        },
    }


def _kubectl(*arguments: str, stdin: str | None = None) -> str:
    command = [toolchain.tool("kubectl"), f"--kubeconfig={KUBECONFIG}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _healthy(node: Node) -> bool:
    if not node.alive():
        raise LocalError(f"the node ended; its log: {STATE / 'node.log'}")
    return node.run("ctr", "version", check=False).returncode == 0


def _api_ready() -> bool:
    try:
        return _kubectl("get", "--raw", "/readyz", "--request-timeout=2s") == "ok"
    except LocalError:
        return False


def _system_ready() -> bool:
    """Whether the node is Ready and cluster DNS is Available."""
    try:
        answer = json.loads(_kubectl("get", "nodes,deployments", "--namespace=kube-system", "--output=json"))
    except LocalError:
        return False
    met: dict[str, set[str]] = {}
    for item in answer["items"]:
        conditions = item["status"].get("conditions", [])
        met[item["metadata"]["name"]] = {c["type"] for c in conditions if c["status"] == "True"}
    return "Ready" in met.get("local", ()) and "Available" in met.get("coredns", ())


def _wait_for(condition: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LocalError(f"{what} did not become ready within {seconds:.0f} s; logs: {NODE_ROOT / 'var/log'}")
        time.sleep(0.25)


def _rendered(template: Path, **values: str) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template.read_text())
