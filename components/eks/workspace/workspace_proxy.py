"""The workspace proxy: the way of Prometheus and Grafana to Amazon Managed Prometheus, with the signatures it wants.

A Prometheus that signs ends at its start if it gets no credentials, and its rules with it. So only the proxy has the
identity. While it is away, the servers keep the samples in their write-ahead logs, for about two hours.
"""

from pathlib import Path
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, EnvVarArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.eks.signing import aws_request, proxy
from components.kubernetes import checksum, network_policies, pod_identity, pods
from components.kubernetes.disruption_budgets import own_budget
from components.kubernetes.labels import labels, selector
from components.kubernetes.pod_identity import PodIdentity
from settings import sizes, versions
from settings.apps import GRAFANA, PROMETHEUS, WORKSPACE_PROXY

APP = WORKSPACE_PROXY.name
QUERY_PORT = WORKSPACE_PROXY.port
WRITE_PORT = 8081
PROGRAMS = (Path(aws_request.__file__), Path(proxy.__file__))
_FOLDER = "/signing"
_REPLICAS = 2


class WorkspaceProxyArgs(TypedDict):
    """Arguments of WorkspaceProxy."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    remote_write_url: pulumi.Input[str]
    """Where the workspace takes samples, see settings.eks.conflicts.workspace."""
    aws_region: str
    """Region of the workspace."""
    identity: NotRequired[PodIdentity | None]
    """AWS identity of the service account `workspace-proxy`. None, or absent, if it is created elsewhere."""


class WorkspaceProxy(pulumi.ComponentResource):
    """Two replicas without a state. Prometheus alone may write, and Grafana alone may query."""

    write_url: pulumi.Output[str]
    query_url: pulumi.Output[str]
    """Address of Prometheus' API, inside the cluster."""

    def __init__(self, name: str, args: WorkspaceProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:WorkspaceProxy", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace, identity = args["namespace"], args.get("identity")
        host = pulumi.Output.format("http://{0}.{1}.svc", APP, namespace)
        self.write_url = pulumi.Output.format("{0}:{1}/api/v1/remote_write", host, WRITE_PORT)
        self.query_url = pulumi.Output.format("{0}:{1}", host, QUERY_PORT)
        metadata: ObjectMetaArgsDict = {"name": APP, "namespace": namespace, "labels": labels(APP)}
        programs = {file.name: file.read_text() for file in PROGRAMS}
        needed: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(f"{name}-programs", metadata=metadata, data=programs, opts=child),
            pod_identity.service_account(
                f"{name}-account", APP, namespace, identity.account if identity else {}, child
            ),
            *([identity.ready] if identity else []),
        ]
        network_policies.app_network(f"{name}-network", _network(namespace), child)
        k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata,
            spec={
                "type": "ClusterIP",
                "selector": selector(APP),
                "ports": [
                    {"name": port, "port": number, "target_port": port, "protocol": "TCP"}
                    for port, number in (("http", QUERY_PORT), ("write", WRITE_PORT))
                ],
            },
            opts=child,
        )
        k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={**metadata, "labels": labels(APP, versions.PYTHON)},
            spec={
                "replicas": _REPLICAS,
                "selector": {"match_labels": selector(APP)},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.PYTHON),
                        "annotations": {
                            **(identity.annotations if identity else {}),
                            checksum.ANNOTATION: checksum.checksum("".join(programs.values()), salt=name),
                        },
                    },
                    "spec": {
                        # EKS adds the identity's own token, so no other is mounted.
                        "service_account_name": APP,
                        "automount_service_account_token": False,
                        "enable_service_links": False,
                        "security_context": pods.pod_security(pods.USERS[APP]),
                        "termination_grace_period_seconds": 10,
                        "topology_spread_constraints": pods.spread(APP),
                        "containers": [pods.secured(_container(args))],
                        "volumes": [{"name": "programs", "config_map": {"name": APP}}],
                    },
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        own_budget(f"{name}-budget", APP, namespace, child)
        self.register_outputs({"write_url": self.write_url, "query_url": self.query_url})


def _container(args: WorkspaceProxyArgs) -> ContainerArgsDict:
    workspace = pulumi.Output.from_input(args["remote_write_url"]).apply(
        lambda url: url.removesuffix("/api/v1/remote_write")
    )
    variables: list[EnvVarArgsDict] = [
        {"name": "WORKSPACE", "value": workspace},
        {"name": "REGION", "value": args["aws_region"]},
        {"name": "QUERY_PORT", "value": str(QUERY_PORT)},
        {"name": "WRITE_PORT", "value": str(WRITE_PORT)},
    ]
    return {
        "name": APP,
        "image": versions.PYTHON_IMAGE,
        # As a module of the mounted folder, so that the programs find each other.
        "command": ["python3", "-m", f"{_FOLDER[1:]}.proxy"],
        "working_dir": "/",
        "env": variables,
        "ports": [
            {"name": "http", "container_port": QUERY_PORT, "protocol": "TCP"},
            {"name": "write", "container_port": WRITE_PORT, "protocol": "TCP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=sizes.MEMORY[APP]),
        "startup_probe": pods.http_probe("/healthz", "http", failures=24),
        "liveness_probe": pods.http_probe("/healthz", "http", failures=6),
        "readiness_probe": pods.http_probe("/healthz", "http"),
        "volume_mounts": [{"name": "programs", "mount_path": _FOLDER, "read_only": True}],
    }


def _network(namespace: pulumi.Input[str]) -> network_policies.AppNetworkArgs:
    here, tcp = network_policies.app_here, network_policies.tcp
    return {
        "app": APP,
        "namespace": namespace,
        "ingress": [
            {"from_": [here(PROMETHEUS.name)], "ports": tcp(WRITE_PORT)},
            {"from_": [here(GRAFANA.name)], "ports": tcp(QUERY_PORT)},
        ],
        # AWS' endpoints have no fixed addresses.
        "egress": [{"ports": tcp(443)}, pod_identity.egress()],
    }
