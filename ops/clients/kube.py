"""Reaches services inside a cluster through `kubectl port-forward`, restarted when pods are replaced."""

import re
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx
import structlog

from local.errors import LocalError
from local.ports import free_port, hidden_address
from local.toolchain import tool
from ops.clients.certificates import certificates
from ops.errors import OpsError

log = structlog.get_logger("ops.clients.kube")

START_TIMEOUT = 60.0
"""Seconds within which a service must answer for the first time; a pod that was just replaced takes a while."""
# kubectl's messages for failures that are worth a retry.
_TRANSIENT = re.compile("not running|lost connection|already in use|timed out")
_PROBE_EVERY = 2.0
_PROBE_TIMEOUT = 5.0
_YOUNG = 15.0


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """How kubectl finds a cluster; if both fields are None, kubectl uses its own defaults."""

    kubeconfig: Path | None = None
    context: str | None = None

    def arguments(self) -> list[str]:
        """kubectl's flags for this cluster."""
        flags: list[str] = []
        if self.kubeconfig:
            flags.append(f"--kubeconfig={self.kubeconfig}")
        if self.context:
            flags.append(f"--context={self.context}")
        return flags

    def __str__(self) -> str:
        return " ".join(self.arguments()) or "kubectl's current context"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service inside the cluster."""

    namespace: str
    name: str
    port: int


def kubectl() -> Path:
    """The kubectl from PATH if its version fits, else the toolchain's. Raises OpsError when there is none."""
    try:
        return tool("kubectl")
    except LocalError as error:
        raise OpsError(str(error)) from error


@contextmanager
def service_urls(cluster: Cluster, **services: Service) -> Generator[dict[str, str]]:
    """URLs of several services, by argument name, valid while the block runs."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(service_url(cluster, service)) for name, service in services.items()}


@contextmanager
def service_url(cluster: Cluster, service: Service) -> Generator[str]:
    """URL of a service, valid while the block runs: a free port of a loopback address that no web page can guess.

    When the service's pod is replaced, the forward reconnects to another pod; calls in between fail and may be
    repeated. Raises OpsError with kubectl's message when the service does not answer within START_TIMEOUT seconds.
    """
    forward = _Forward(cluster, service, hidden_address(), free_port())
    try:
        forward.start()
        yield forward.url
    finally:
        forward.stop()


def is_forward(url: str) -> bool:
    """Whether a URL is one of `service_url`, which a proxy set in the environment cannot reach."""
    return url.startswith("http://127.")


class _Forward:
    """One `kubectl port-forward` process, replaced when it ends or stops forwarding."""

    def __init__(self, cluster: Cluster, service: Service, address: str, port: int) -> None:
        self._port = port
        self._service = service
        self._command = [
            str(kubectl()),
            *cluster.arguments(),
            f"--namespace={service.namespace}",
            "port-forward",
            f"--address={address}",
            f"service/{service.name}",
            f"{self._port}:{service.port}",
        ]
        self._where = f"service {service.namespace}/{service.name} ({cluster})"
        self.url = f"http://{address}:{self._port}"
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"forward-{service.name}", daemon=True)
        self._stderr: IO[bytes] = TemporaryFile()  # noqa: SIM115 -- closed by stop()
        self._process: subprocess.Popen[bytes] | None = None
        self._launched = 0.0

    def start(self) -> None:
        """Start the forward and wait for the service's first answer."""
        deadline = time.monotonic() + START_TIMEOUT
        self._launch()
        while not self._answers():
            if time.monotonic() > deadline:
                raise OpsError(f"{self._where} cannot be reached: {self._last_message()}")
            if self._process and self._process.poll() is not None:
                if not _TRANSIENT.search(self._last_message()):
                    raise OpsError(f"{self._where} cannot be reached: {self._last_message()}")
                time.sleep(1)
                self._launch()
            time.sleep(0.1)
        self._watcher.start()

    def stop(self) -> None:
        """End the process and its watcher thread."""
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._end_process()
        self._stderr.close()

    def _watch(self) -> None:
        silent = 0
        while not self._ended.wait(_PROBE_EVERY):
            # A forward whose pod is gone may keep running without answering, so a live process proves nothing.
            silent = 0 if self._answers() else silent + 1
            gone = self._process is None or self._process.poll() is not None
            # A new forward may need a while on a busy machine. If each one is ended too early, none ever answers.
            young = time.monotonic() - self._launched < _YOUNG
            if gone or (silent >= 2 and not young):
                log.debug("restarting the port-forward", service=self._service.name, message=self._last_message())
                silent = 0
                self._launch()

    def _launch(self) -> None:
        self._end_process()
        self._launched = time.monotonic()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._stderr
        )

    def _end_process(self) -> None:
        if not self._process:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            httpx.get(self.url, timeout=_PROBE_TIMEOUT, verify=certificates(), trust_env=not is_forward(self.url))
        except httpx.HTTPError:
            return False
        return True

    def _last_message(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"no answer within {START_TIMEOUT:.0f} s"
