"""Names and ports of the platform's programs, and the catalogue of the simulated systems."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alerting.speakers import StackNamespaces


@dataclass(frozen=True, kw_only=True)
class App:
    """A program of the platform."""

    name: str
    """Name of its Service and service account, and the value of its pods' label."""
    port: int
    """Port of its HTTP API and of its Service."""


PROMETHEUS = App(name="prometheus", port=9090)
ALERTMANAGER = App(name="alertmanager", port=9093)
PROMETHEUS_RULES = "/etc/prometheus/rules"
"""Folder of the rule files in Prometheus' pods. It also decides at which moments a group of rules is evaluated."""
LOKI = App(name="loki", port=3100)
LOKI_RULES = "/loki/rules-temp"
"""Folder to which Loki's ruler copies its rules, below it a folder for the tenant. It decides about moments, too."""
LOKI_TENANT = "fake"
"""Loki's name for the only tenant without authentication."""
JAEGER = App(name="jaeger", port=16686)
GRAFANA = App(name="grafana", port=3000)
WORKSPACE_PROXY = App(name="workspace-proxy", port=8080)
"""Signs requests to a workspace of Amazon Managed Prometheus."""
PAGE_GATE = App(name="page-gate", port=8080)
"""Checks groups in front of the pages that know none. Its pages have the ports from this one on."""
KUBE_STATE_METRICS = App(name="kube-state-metrics", port=8080)
NODE_EXPORTER = App(name="node-exporter", port=9100)
RECEIVER = App(name="receiver", port=8080)
"""Receives the notifications of a test cluster. Its namespace has the same name."""

DATA_SOURCES = (PROMETHEUS.name, LOKI.name, JAEGER.name, ALERTMANAGER.name)
"""Uids of Grafana's data sources. A dashboard may name no other."""

OTLP_GRPC, OTLP_HTTP = 4317, 4318
"""Ports on which agents, gateways and Jaeger receive telemetry. The OpenTelemetry specification names them."""
AGENT, GATEWAY = "otel-agent", "otel-gateway"
"""Names of the two layers of collectors."""
EVENTS = "otel-events"
"""Name of the collector of Kubernetes' events."""

SIMULATED_PORT = 8000
"""Port on which each simulated program serves metrics, requests and fault switches."""
SIMULATED_WORKERS = 2
"""Replicas of the job queue's worker."""
SimulatedSystem = Literal["job-queue", "speccursor", "api", "media-upload", "media-clustering", "platform-faults"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One simulated program."""

    app: str
    role: str
    """Argument of `python3 -m simulator`, and suffix of the logical names."""
    replicas: int = 1
    switches: bool = True
    """Whether the program has fault switches, and therefore a Service."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """The programs that simulate one observed system."""

    resource: str
    """Logical name of the component."""
    namespace: str
    programs: tuple[Program, ...]
    """The first program has the fault switches."""


def _single(system: str, namespace: str, app: str) -> Simulated:
    return Simulated(resource=f"simulator-{system}", namespace=namespace, programs=(Program(app=app, role=app),))


# The order determines the local ports.
SIMULATED: Mapping[SimulatedSystem, Simulated] = {
    "job-queue": Simulated(
        resource="simulator",  # has no suffix because it was the first system; a new name would replace its resources
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
SIMULATED_NAMESPACES = (*dict.fromkeys(system.namespace for system in SIMULATED.values()), RECEIVER.name)
"""Namespaces of the simulated systems and of the receiver."""


def agent_namespace(namespace: str) -> str:
    """Namespace of the node agents of the platform in `namespace`; Pod Security `restricted` covers all others."""
    return f"{namespace}-agent"


def speaking_namespaces(namespace: str, *, simulator: bool) -> StackNamespaces:
    """Who may speak of the platform in `namespace`, and of every system if the stack has the simulator."""
    drills = (SIMULATED["platform-faults"].namespace,) if simulator else ()
    return StackNamespaces(platform=(namespace, agent_namespace(namespace)), drills=drills)
