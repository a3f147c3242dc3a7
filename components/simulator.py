"""The simulated programs of one observed system: they emit its telemetry and can be told to fail. For test clusters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict

from components.deployment import app_deployment
from components.network_policies import tcp

PORT = 8000
OTLP_PORT = 4318
"""OTLP over HTTP at the agent."""
WORKERS = 2

System = Literal["job-queue", "speccursor", "api", "media-upload", "media-clustering", "platform-faults"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of a system."""

    app: str
    role: str
    """What `python3 -m simulator` is told to be, and the suffix of the logical names."""
    replicas: int = 1
    switches: bool = True
    """Whether it has fault switches, and so a Service."""


# The first program of a system is the one with the fault switches.
PROGRAMS: Mapping[System, tuple[Program, ...]] = {
    "job-queue": (
        Program(app="jq-server", role="server"),
        Program(app="jq-worker", role="worker", replicas=WORKERS, switches=False),
    ),
    "speccursor": (Program(app="speccursor", role="speccursor"),),
    "api": (Program(app="api", role="api"),),
    "media-upload": (Program(app="media-upload", role="media-upload"),),
    "media-clustering": (Program(app="sploot-cluster", role="sploot-cluster"),),
    "platform-faults": (Program(app="platform-faults", role="platform-faults"),),
}


class Traces(TypedDict):
    """Where traces go."""

    endpoint: pulumi.Input[str]
    """Base URL of the agent, for OTLP over HTTP."""
    agent: NetworkPolicyPeerArgsDict
    """The agent's pods."""


class SimulatorArgs(TypedDict):
    """Arguments of Simulator."""

    system: NotRequired[System]
    """Which system's programs; the job queue's if left out."""
    namespace: pulumi.Input[str]
    """Namespace that already exists."""
    image: str
    scraper: NetworkPolicyPeerArgsDict
    """Pods that may read the metrics."""
    traces: NotRequired[Traces]
    """If left out, no traces are sent."""


class Simulator(pulumi.ComponentResource):
    """Workloads that emit one system's telemetry and can be told to fail."""

    url: pulumi.Output[str]
    """Address of the fault switches inside the cluster."""

    def __init__(self, name: str, args: SimulatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Simulator", name, {}, opts)
        programs = PROGRAMS[args.get("system", "job-queue")]
        traces = args.get("traces")
        for program in programs:
            env: dict[str, pulumi.Input[str]] = {
                "SIMULATOR_ROLE": program.role,
                "SIMULATOR_WORKERS": str(WORKERS),
                "SIMULATOR_PORT": str(PORT),
            }
            if traces:
                env["OTEL_EXPORTER_OTLP_ENDPOINT"] = traces["endpoint"]
            app_deployment(
                name if len(programs) == 1 else f"{name}-{program.role}",
                {
                    "app": program.app,
                    "namespace": args["namespace"],
                    "image": args["image"],
                    "module": "simulator",
                    "replicas": program.replicas,
                    "port": PORT,
                    "env": env,
                    "with_service": program.switches,
                    "allowed": [args["scraper"]],
                    "egress": [{"to": [traces["agent"]], "ports": tcp(OTLP_PORT)}] if traces else [],
                },
                parent=self,
            )
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", programs[0].app, args["namespace"], PORT)
        self.register_outputs({"url": self.url})
