"""Forwards a local port to Grafana inside the cluster while the engine runs, so that the provider can reach it."""

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
# Seconds between attempts; kubectl fails at once while there is no running pod.
_PAUSE = 1.0


@contextmanager
def to_grafana(workspace: Workspace) -> Generator[None]:
    """Makes the stack's Grafana reachable at `grafanaApiUrl` while the block runs, if that is a local port.

    Connections are refused until a pod runs. Does nothing for a stack without Grafana, or with another address.
    Raises LocalError if the port is in use.
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
    """One command, restarted whenever it ends."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="forward-grafana", daemon=True)

    def start(self) -> None:
        """Start the command."""
        self._thread.start()

    def stop(self) -> None:
        """End the command and its thread."""
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
            f"local port {port} is in use, but it is needed for Grafana's API (observability:grafanaApiUrl); "
            f"stop the program that listens on it, or set another port in the stack file"
        )
