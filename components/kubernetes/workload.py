"""Common part of the backends: a replicated program with a volume and two Services."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    PersistentVolumeClaimArgsDict,
    PersistentVolumeClaimSpecArgsDict,
    PodSpecArgsDict,
    ServicePortArgsDict,
    VolumeArgsDict,
)

from components.kubernetes import pods
from components.kubernetes.disruption_budgets import own_budget
from components.kubernetes.labels import labels, scrape, selector


class StatefulAppArgs(TypedDict):
    """A stateful app. Its container listens on a port named `http` and stores its data in the volume `data`."""

    app: str
    """Name of the StatefulSet and of its Service."""
    version: str
    namespace: pulumi.Input[str]
    replicas: int
    port: int
    metrics_port: NotRequired[int]
    """Port that Prometheus scrapes; defaults to the app's port."""
    service_ports: NotRequired[list[ServicePortArgsDict]]
    """Further ports of both Services."""
    container: ContainerArgsDict
    sidecars: NotRequired[list[ContainerArgsDict]]
    """Further containers of the pods."""
    volumes: list[VolumeArgsDict]
    storage: str
    """Size of each replica's volume."""
    storage_class: str | None
    """None for the cluster's default."""
    peer_ports: NotRequired[list[ServicePortArgsDict]]
    """Further ports that replicas use among themselves."""
    annotations: NotRequired[dict[str, pulumi.Input[str]]]
    """Annotations of the pods. A change restarts the pods one by one."""
    service_account: NotRequired[str]
    """Without one, pods get no token."""
    api_token: NotRequired[bool]
    """False if the account is an identity for the cloud only; defaults to True."""
    termination_seconds: int
    """Time to shut down cleanly before the pod is killed."""


def peers(app: str, replicas: int, namespace: pulumi.Input[str], port: int) -> pulumi.Output[list[str]]:
    """host:port of each replica, with its host name from the headless Service."""
    return pulumi.Output.from_input(namespace).apply(
        lambda name: [f"{app}-{index}.{app}-peers.{name}.svc:{port}" for index in range(replicas)]
    )


def stateful_app(name: str, args: StatefulAppArgs, parent: pulumi.Resource, depends_on: list[pulumi.Resource]) -> None:
    """Creates Services, StatefulSet and disruption budget as children of `parent`."""
    child = pulumi.ResourceOptions(parent=parent)
    app, namespace = args["app"], args["namespace"]
    http: ServicePortArgsDict = {"name": "http", "port": args["port"], "target_port": "http", "protocol": "TCP"}
    ports = [http, *args.get("service_ports", [])]
    k8s.core.v1.Service(
        f"{name}-service",
        metadata={"name": app, "namespace": namespace, "labels": labels(app)},
        spec={"type": "ClusterIP", "selector": selector(app), "ports": ports},
        opts=child,
    )
    headless = k8s.core.v1.Service(
        f"{name}-peers",
        metadata={"name": f"{app}-peers", "namespace": namespace, "labels": labels(app)},
        spec={
            "cluster_ip": "None",
            # Replicas must find each other before they are ready, because they become ready by joining each other.
            "publish_not_ready_addresses": True,
            "selector": selector(app),
            "ports": [*ports, *args.get("peer_ports", [])],
        },
        opts=child,
    )
    k8s.apps.v1.StatefulSet(
        f"{name}-statefulset",
        metadata={"name": app, "namespace": namespace, "labels": labels(app, args["version"])},
        spec={
            "replicas": args["replicas"],
            "service_name": f"{app}-peers",
            "selector": {"match_labels": selector(app)},
            # Replicas can start independently. Updates still proceed one replica at a time.
            "pod_management_policy": "Parallel",
            "update_strategy": {"type": "RollingUpdate"},
            "min_ready_seconds": 10,
            "persistent_volume_claim_retention_policy": {"when_deleted": "Retain", "when_scaled": "Retain"},
            "volume_claim_templates": [_claim(args)],
            "template": {
                "metadata": {
                    "labels": labels(app, args["version"]),
                    "annotations": {**scrape(args.get("metrics_port", args["port"])), **args.get("annotations", {})},
                },
                "spec": _pod(args),
            },
        },
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[headless, *depends_on],
            # Immutable: without this, a larger volume would replace the stateful set and so stop all replicas at once.
            # components/kubernetes/volumes.py demands that the claims have been grown.
            ignore_changes=["spec.volumeClaimTemplates[0].spec.resources.requests.storage"],
        ),
    )
    own_budget(f"{name}-budget", app, namespace, child)


def _pod(args: StatefulAppArgs) -> PodSpecArgsDict:
    pod: PodSpecArgsDict = {
        "automount_service_account_token": "service_account" in args and args.get("api_token", True),
        "enable_service_links": False,
        "security_context": pods.pod_security(pods.USERS[args["app"]]),
        "termination_grace_period_seconds": args["termination_seconds"],
        "topology_spread_constraints": pods.spread(args["app"]),
        "containers": [pods.secured(one) for one in (args["container"], *args.get("sidecars", ()))],
        "volumes": args["volumes"],
    }
    if "service_account" in args:
        pod["service_account_name"] = args["service_account"]
    return pod


def _claim(args: StatefulAppArgs) -> PersistentVolumeClaimArgsDict:
    spec: PersistentVolumeClaimSpecArgsDict = {
        "access_modes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": args["storage"]}},
    }
    if args["storage_class"]:
        spec["storage_class_name"] = args["storage_class"]
    return {"metadata": {"name": "data"}, "spec": spec}
