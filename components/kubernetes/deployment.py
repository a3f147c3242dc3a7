"""A stateless program of this project: Deployment, optional Service, network policy. For simulator and receiver."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.kubernetes import pods
from components.kubernetes.labels import labels, scrape, selector
from components.kubernetes.network_policies import app_network, tcp
from settings import versions


class AppArgs(TypedDict):
    """A program in the simulator's image."""

    app: str
    namespace: pulumi.Input[str]
    image: str
    module: str
    """Python module to run."""
    replicas: int
    port: int
    more_ports: NotRequired[Mapping[str, int]]
    """Name -> further TCP port, open to the same peers as the first."""
    env: NotRequired[Mapping[str, pulumi.Input[str]]]
    data: NotRequired[str]
    """Folder that the program may write to; lost with the pod."""
    pod_labels: NotRequired[Mapping[str, str]]
    with_service: bool
    allowed: Sequence[NetworkPolicyPeerArgsDict]
    """Peers that may connect to its ports."""
    egress: NotRequired[Sequence[NetworkPolicyEgressRuleArgsDict]]
    """Egress besides DNS; none by default."""


def app_deployment(name: str, args: AppArgs, parent: pulumi.Resource) -> None:
    """Creates the objects of a program as children of `parent`."""
    child = pulumi.ResourceOptions(parent=parent)
    app, namespace = args["app"], args["namespace"]
    app_network(
        f"{name}-network",
        {
            "app": app,
            "namespace": namespace,
            "ingress": [{"from_": list(args["allowed"]), "ports": tcp(*_ports(args).values())}],
            "egress": args.get("egress", []),
        },
        child,
    )
    if args["with_service"]:
        k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": app, "namespace": namespace, "labels": labels(app)},
            spec={
                "type": "ClusterIP",
                "selector": selector(app),
                "ports": [
                    {"name": port, "port": number, "target_port": port, "protocol": "TCP"}
                    for port, number in _ports(args).items()
                ],
            },
            opts=child,
        )
    k8s.apps.v1.Deployment(
        f"{name}-deployment",
        metadata={"name": app, "namespace": namespace, "labels": labels(app, versions.SIMULATOR)},
        spec={
            "replicas": args["replicas"],
            "selector": {"match_labels": selector(app)},
            "template": {
                "metadata": {
                    "labels": {**labels(app, versions.SIMULATOR), **args.get("pod_labels", {})},
                    "annotations": scrape(args["port"]),
                },
                "spec": {
                    "automount_service_account_token": False,
                    "enable_service_links": False,
                    "security_context": pods.pod_security(pods.USERS.get(app, pods.USERS["simulator"])),
                    "termination_grace_period_seconds": 10,
                    "topology_spread_constraints": pods.spread(app),
                    "containers": [_container(args)],
                    "volumes": [{"name": "data", "empty_dir": {"size_limit": "64Mi"}}] if "data" in args else [],
                },
            },
        },
        opts=child,
    )


def _ports(args: AppArgs) -> dict[str, int]:
    return {"http": args["port"], **args.get("more_ports", {})}


def _container(args: AppArgs) -> ContainerArgsDict:
    return pods.secured(
        {
            "name": args["app"],
            "image": args["image"],
            "args": [args["module"]],
            "env": [{"name": key, "value": value} for key, value in args.get("env", {}).items()],
            "ports": [
                {"name": port, "container_port": number, "protocol": "TCP"} for port, number in _ports(args).items()
            ],
            "resources": pods.resources(cores=0.02, memory="128Mi"),
            "startup_probe": pods.http_probe("/healthz", "http", period=2, failures=30),
            "liveness_probe": pods.http_probe("/healthz", "http", failures=6),
            "readiness_probe": pods.http_probe("/healthz", "http"),
            "volume_mounts": [{"name": "data", "mount_path": args["data"]}] if "data" in args else [],
        }
    )
