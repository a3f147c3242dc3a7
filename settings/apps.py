"""Name and port of each program that the platform runs, and the catalogue of the simulated systems."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class App:
    """A program of the platform."""

    name: str
    """Of its Service, its pods' label and its service account."""
    port: int
    """Of its HTTP API; its Service has the same."""


PROMETHEUS = App(name="prometheus", port=9090)
ALERTMANAGER = App(name="alertmanager", port=9093)
LOKI = App(name="loki", port=3100)
JAEGER = App(name="jaeger", port=16686)
GRAFANA = App(name="grafana", port=3000)
KUBE_STATE_METRICS = App(name="kube-state-metrics", port=8080)
NODE_EXPORTER = App(name="node-exporter", port=9100)
RECEIVER = App(name="receiver", port=8080)
"""Takes the notifications of a test cluster; its namespace has its name."""

DATA_SOURCES = (PROMETHEUS.name, LOKI.name, JAEGER.name, ALERTMANAGER.name)
"""Uids of Grafana's data sources, the only ones that a dashboard may name."""

AGENT, GATEWAY = "otel-agent", "otel-gateway"
"""Names of the two layers of collectors."""

SIMULATED_PORT = 8000
"""Port of metrics, requests and fault switches of each simulated program."""
SIMULATED_WORKERS = 2
"""Workers of the job queue."""
SimulatedSystem = Literal["job-queue", "speccursor", "api", "media-upload", "media-clustering", "platform-faults"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One simulated program."""

    app: str
    role: str
    """Argument of `python3 -m simulator`, and the suffix of the logical names."""
    replicas: int = 1
    switches: bool = True
    """Whether it has fault switches, and therefore a Service."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """The programs that simulate one observed system."""

    resource: str
    """Logical name of the component."""
    namespace: str
    programs: tuple[Program, ...]
    """The first one has the fault switches."""


def _single(system: str, namespace: str, app: str) -> Simulated:
    return Simulated(resource=f"simulator-{system}", namespace=namespace, programs=(Program(app=app, role=app),))


# In the order of the local ports.
SIMULATED: Mapping[SimulatedSystem, Simulated] = {
    "job-queue": Simulated(
        resource="simulator",  # from the time when it was the only one; another name would replace its resources
        namespace="job-queue",
        programs=(
            Program(app="jq-server", role="server"),
            Program(app="jq-worker", role="worker", replicas=SIMULATED_WORKERS, switches=False),
        ),
    ),
    "speccursor": _single("speccursor", "speccursor", "speccursor"),
    "api": _single("api", "api", "api"),
    "media-upload": _single("media-upload", "media", "media-upload"),
    "media-clustering": _single("media-clustering", "media", "sploot-cluster"),
    "platform-faults": _single("platform-faults", "platform-faults", "platform-faults"),
}
SIMULATED_NAMESPACES = (*dict.fromkeys(one.namespace for one in SIMULATED.values()), RECEIVER.name)
"""Namespaces that the simulator adds."""
