"""Leads a port of this machine to Grafana inside the cluster while the engine runs, as the provider's address says."""

import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

from engine.workspace import Workspace
from local.errors import LocalError
from local.ports import is_free
from local.toolchain import tool
from settings.apps import GRAFANA

_LOOPBACK = ("127.0.0.1", "localhost")
# Seconds between attempts; kubectl gives up at once while there is no running pod.
_PAUSE = 1.0


@contextmanager
def to_grafana(workspace: Workspace) -> Generator[None]:
    """While the block runs, `grafanaApiUrl` leads to the stack's Grafana, where it is a port of this machine.

    Connections are refused until a pod runs. Does nothing for a stack without a server, or with another address.
    Raises LocalError when the port is in use.
    """
    port = _wanted(workspace)
    if port is None:
        yield
        return
    _require_free(port)
    command = [str(tool("kubectl")), *_cluster(workspace), f"--namespace={workspace.setting('namespace')}"]
    forward = _Forward(
        [*command, "port-forward", "--address=127.0.0.1", f"service/{GRAFANA.name}", f"{port}:{GRAFANA.port}"]
    )
    forward.start()
    try:
        yield
    finally:
        forward.stop()


class _Forward:
    """One command, started again whenever it ends."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="forward-grafana", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the command; nothing is left running."""
        with self._lock:
            self._ended.set()
            if self._process:
                self._process.terminate()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                if self._ended.is_set():
                    return
                quiet = subprocess.DEVNULL
                self._process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)
            self._process.wait()
            self._ended.wait(_PAUSE)


def _wanted(workspace: Workspace) -> int | None:
    if workspace.setting("grafana") != "true":
        return None
    address = urlsplit(workspace.setting("grafanaApiUrl"))
    return (address.port or 80) if address.scheme == "http" and address.hostname in _LOOPBACK else None


def _cluster(workspace: Workspace) -> list[str]:
    kubeconfig, context = workspace.setting("kubeconfig"), workspace.setting("kubeContext")
    flags = [f"--kubeconfig={workspace.root / kubeconfig}"] if kubeconfig else []
    return [*flags, *([f"--context={context}"] if context else [])]


def _require_free(port: int) -> None:
    if not is_free(port):
        raise LocalError(
            f"port {port} of this machine is in use, but Grafana's API is to be reached there "
            f"(observability:grafanaApiUrl); end what listens on it, or set another port in the stack file"
        )
