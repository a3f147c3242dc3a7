"""The simulated job queue: one server with fault switches, and workers. For test clusters."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict

from components.deployment import app_deployment

SERVER = "jq-server"
WORKER = "jq-worker"
PORT = 8000
WORKERS = 2


class SimulatorArgs(TypedDict):
    """Arguments of Simulator."""

    namespace: pulumi.Input[str]
    """Namespace that already exists."""
    image: str
    scraper: NetworkPolicyPeerArgsDict
    """Pods that may read the metrics."""


class Simulator(pulumi.ComponentResource):
    """Workloads that emit the job queue's telemetry and can be told to fail."""

    url: pulumi.Output[str]
    """Address of the fault switches inside the cluster."""

    def __init__(self, name: str, args: SimulatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Simulator", name, {}, opts)
        for suffix, app, replicas, role in (("server", SERVER, 1, "server"), ("worker", WORKER, WORKERS, "worker")):
            app_deployment(
                f"{name}-{suffix}",
                {
                    "app": app,
                    "namespace": args["namespace"],
                    "image": args["image"],
                    "module": "simulator",
                    "replicas": replicas,
                    "port": PORT,
                    "env": {"SIMULATOR_ROLE": role, "SIMULATOR_WORKERS": str(WORKERS), "SIMULATOR_PORT": str(PORT)},
                    "with_service": role == "server",
                    "allowed": [args["scraper"]],
                },
                parent=self,
            )
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", SERVER, args["namespace"], PORT)
        self.register_outputs({"url": self.url})
