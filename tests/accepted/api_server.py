"""An API server without nodes on loopback, which judges objects as dry runs."""

import json
import re
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.ports import free_ports
from local.toolchain import tool
from tests.mock_engine import Recorded
from tools.programs import Server, eventually

_TOKEN = "dry-run"
_GROUP_OF_ALL = "system:masters"
_SERVED = re.compile(r"(core/|apps/|batch/|policy/|autoscaling/|[a-z.]+\.k8s\.io/)?v\w+$")
"""Versions of APIs that every server has."""


@dataclass(frozen=True)
class ApiServer:
    """The running server."""

    url: str
    folder: Path

    def refusals(self, stacks: Sequence[Recorded]) -> list[str]:
        """What the server says about the objects that it refuses."""
        file = self.folder / "objects.json"
        items = [one for recorded in stacks for one in _objects(recorded)]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        done = self._kubectl("create", "--dry-run=server", "--validate=strict", "-o=name", f"--filename={file}")
        return done.stderr.splitlines() if done.returncode else []

    def ready(self) -> bool:
        """Whether it answers."""
        return self._kubectl("get", "--raw=/readyz").returncode == 0

    def _kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        access = [f"--server={self.url}", f"--token={_TOKEN}", "--insecure-skip-tls-verify=true"]
        cache = f"--cache-dir={self.folder / 'cache'}"
        # An empty kubeconfig, so that the user's own is not read.
        command = [tool("kubectl"), "--kubeconfig=/dev/null", *access, cache, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _objects(recorded: Recorded) -> list[dict[str, Any]]:
    """Every object of Kubernetes, with its type as the provider would send it, and the claims of its StatefulSets.

    Objects of EKS and of other controllers are left out: no server without their definitions knows them.
    The server does not look into the template of a claim; it would refuse the claim later.
    """
    found: list[dict[str, Any]] = []
    for one in recorded.resources:
        if one.custom and one.type.startswith("kubernetes:"):
            version, _, kind = one.type.removeprefix("kubernetes:").rpartition(":")
            if not _SERVED.match(version):
                continue
            found.append({**one.inputs, "apiVersion": version.removeprefix("core/"), "kind": kind})
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
            templates = one.inputs.get("spec", {}).get("volumeClaimTemplates", ())
            found += [{**template, **claim} for template in templates]
    return found


@contextmanager
def api_server(folder: Path) -> Generator[ApiServer]:
    """A server that takes objects of any namespace: none exists, and a dry run creates none."""
    store, peer, port = free_ports(3)
    folder.mkdir(parents=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    (folder / "tokens.csv").write_text(f'{_TOKEN},test,test,"{_GROUP_OF_ALL}"\n')
    url = f"http://127.0.0.1:{store}"
    etcd = Server(
        "etcd",
        [
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ],
        folder / "store",
        f"{url}/health",
    )
    server = Server(
        "kube-apiserver",
        [
            f"--etcd-servers={url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=AlwaysAllow",
            "--service-account-issuer=https://test",
            f"--service-account-key-file={folder / 'key.pem'}",
            f"--service-account-signing-key-file={folder / 'key.pem'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=NamespaceLifecycle,ServiceAccount",
        ],
        folder / "server",
        "",
    )
    with etcd:
        found = ApiServer(f"https://127.0.0.1:{port}", folder)
        server.launch()
        try:
            eventually(found.ready, what="the API server does not start", pause=1)
            yield found
        finally:
            server.end(signal.SIGKILL)
