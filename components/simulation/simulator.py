"""The simulated programs of an observed system. They emit its telemetry and fail on demand. For test clusters."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict

from components.kubernetes.deployment import app_deployment
from components.kubernetes.network_policies import tcp
from settings.apps import OTLP_HTTP, SIMULATED, SIMULATED_PORT, SIMULATED_WORKERS, SimulatedSystem

PORT = SIMULATED_PORT


class Traces(TypedDict):
    """The destination of traces."""

    endpoint: pulumi.Input[str]
    """Base URL of the agent for OTLP over HTTP."""
    agent: NetworkPolicyPeerArgsDict
    """The agent's pods."""
    percentage: float
    """Share of the traces that are kept, besides those with an error and slow ones."""
    slow: float
    """Seconds from which a trace is slow."""


class SimulatorArgs(TypedDict):
    """Arguments of Simulator."""

    system: NotRequired[SimulatedSystem]
    """The system to simulate; defaults to the job queue."""
    namespace: pulumi.Input[str]
    """An existing namespace."""
    image: str
    scraper: NetworkPolicyPeerArgsDict
    """Pods that may read the metrics."""
    traces: NotRequired[Traces]
    """Without it, no traces are sent."""


class Simulator(pulumi.ComponentResource):
    """Workloads that emit the telemetry of a system and fail on demand."""

    url: pulumi.Output[str]
    """Address of the fault switches inside the cluster."""

    def __init__(self, name: str, args: SimulatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Simulator", name, {}, opts)
        programs = SIMULATED[args.get("system", "job-queue")].programs
        traces = args.get("traces")
        for program in programs:
            env: dict[str, pulumi.Input[str]] = {
                "SIMULATOR_ROLE": program.role,
                "SIMULATOR_WORKERS": str(SIMULATED_WORKERS),
                "SIMULATOR_PORT": str(PORT),
            }
            if traces:
                env["OTEL_EXPORTER_OTLP_ENDPOINT"] = traces["endpoint"]
                env["OBSERVABILITY_EXEMPLAR_PERCENTAGE"] = str(traces["percentage"])
                env["OBSERVABILITY_EXEMPLAR_SLOWER_THAN"] = str(traces["slow"])
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
                    "egress": [{"to": [traces["agent"]], "ports": tcp(OTLP_HTTP)}] if traces else [],
                },
                parent=self,
            )
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", programs[0].app, args["namespace"], PORT)
        self.register_outputs({"url": self.url})
