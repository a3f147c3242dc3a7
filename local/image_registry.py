"""IMAGE_REGISTRY: a registry on this machine from which the embedded cluster pulls every image, so that it builds none.

The node reaches nothing but this machine's end of its link, so connections to that end are relayed to the registry
while the command runs. Later the node has all images, because each is pulled only once.
"""

import json
import os
import re
import socket
import socketserver
import subprocess
import threading
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from local import images, toolchain
from local.errors import LocalError
from local.images import Image
from local.node_process import NODE_ROOT, Node
from local.paths import STATE, cache
from local.progress import say, step
from settings import versions
from settings.images import ALL, pulled
from settings.types import PORT

VARIABLE = "IMAGE_REGISTRY"
PROGRAMS = ("kubelet", "kubeadm", "kubectl", "kube-proxy", "kube-router")
"""Programs of the node itself."""
_HOSTS = "/etc/containerd/certs.d"
"""Folder in the node that says where containerd finds a registry; containerd.toml names it."""
_RECORD = STATE / "image-registry"
_PLACE = re.compile(rf"(127\.0\.0\.1|localhost):{PORT}(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_NODE = Image(
    reference=f"docker.io/observability/node:{versions.KUBERNETES}-{versions.KUBE_ROUTER}",
    files=lambda: {f"/usr/local/bin/{name}": toolchain.built(name) for name in PROGRAMS},
)
"""The node's programs, in an image of their own: a registry has nothing else."""


def used() -> str:
    """The registry from which this checkout's cluster pulls, or will; empty if its images are made here.

    Raises LocalError if IMAGE_REGISTRY is wrong, or differs from the registry of the cluster that exists.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted and not _PLACE.fullmatch(wanted):
        raise LocalError(
            f"{VARIABLE}={wanted} is not allowed; allowed: 127.0.0.1:PORT or localhost:PORT, also with a folder, such "
            "as 127.0.0.1:5000/mirror, because the node reaches this machine only"
        )
    if not NODE_ROOT.exists():
        return wanted
    present = recorded()
    if wanted and wanted != present:
        source = f"pulls its images from {present}" if present else "has images that were made here"
        raise LocalError(f"{VARIABLE}={wanted}: this checkout's cluster {source}; remove it by `make down`")
    return present


def recorded() -> str:
    """The registry from which this checkout's embedded cluster pulls; empty without such a cluster."""
    return _RECORD.read_text() if _RECORD.exists() else ""


def remember(registry: str) -> None:
    """Note from where the cluster that is being made pulls, also for commands after an interruption."""
    if registry:
        _RECORD.write_text(registry)


def reference(image: str, registry: str) -> str:
    """The name by which the node pulls an image; the image's own name without a registry."""
    return pulled(image, {ALL: registry}) if registry else image


def fill(registry: str) -> None:
    """Push every image of the embedded cluster to a registry, building what is missing. Raises LocalError."""
    crane = toolchain.tool("crane")
    for image in (*images.images(), _NODE):
        target = reference(image.reference, registry)
        with TemporaryDirectory(dir=cache()) as scratch, step(f"registry: {target}"):
            archive = Path(scratch) / "image.tar"
            images.write_archive(image, archive)
            done = subprocess.run([crane, "push", archive, target], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise LocalError(f"{target} cannot be pushed: {lines[-1]}")


def connect(node: Node, registry: str) -> None:
    """Let the node pull from the registry while this process runs, also Grafana if it has that.

    Raises LocalError if the registry does not answer.
    """
    place = registry.partition("/")[0]
    port = int(place.partition(":")[2])
    if _has(registry, versions.GRAFANA_IMAGE):
        (STATE / "images.json").write_text(json.dumps({versions.GRAFANA_IMAGE: registry}))
    folder = NODE_ROOT / _HOSTS.lstrip("/") / place
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://{node.host_address}:{port}"
    (folder / "hosts.toml").write_text(f'server = "{url}"\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n')
    with suppress(OSError):  # another command of this checkout relays already
        server = Relay(node.host_address, port)
        threading.Thread(target=server.serve_forever, name="image-registry", daemon=True).start()


def _has(registry: str, image: str) -> bool:
    place, _, path = reference(image, registry).partition("/")
    name, _, tag = path.rpartition(":")
    connection = HTTPConnection("127.0.0.1", int(place.partition(":")[2]), timeout=5)
    try:
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": "*/*"})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException) as error:
        raise LocalError(f"{VARIABLE}={registry}: no registry answers at {place} ({error})") from error
    finally:
        connection.close()


def unpack_programs(node: Node, registry: str) -> None:
    """Pull the image with the node's programs, and copy them to where the services expect them."""
    image, mount = reference(_NODE.reference, registry), "/mnt/programs"
    say(f"cluster: programs of the node from {image}")
    ctr = ("ctr", "--namespace=k8s.io", "images")
    node.run(*ctr, "pull", f"--hosts-dir={_HOSTS}", image)
    node.run("mkdir", "-p", mount, "/usr/local/bin")
    node.run(*ctr, "mount", image, mount)
    node.run("cp", "-a", f"{mount}/usr/local/bin/.", "/usr/local/bin/")
    node.run(*ctr, "unmount", "--rm", mount)


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections to an address of this machine on to the same port of the loopback address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, port), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        _, port = cast(tuple[str, int], self.server.server_address)
        with socket.create_connection(("127.0.0.1", port)) as registry:
            back = threading.Thread(target=_copy, args=(registry, self.request))
            back.start()
            _copy(self.request, registry)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
