"""The agent: one pod on each node that reads the pods' log files, accepts OTLP and adds the senders' identity.

It is outside Pod Security `restricted`, because it mounts folders of its node. It only reads the log files and writes
its checkpoints and queues. It runs as root, without capabilities, because root owns both folders.
"""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, PodSpecArgsDict, ServicePortArgsDict

from components.collector import agent_config
from components.collector.agent_config import AgentConfig
from components.collector.shared_config import Listen, go_memory_limit
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.cluster_rights import cluster_rights
from components.kubernetes.labels import labels, scrape, selector
from components.kubernetes.nodes import REAL_NODES
from settings import apps, sizes, versions
from settings.quantities import quantity_bytes

APP = apps.AGENT
LISTEN = Listen()
_CONFIG = "/etc/otel-agent"
_LOGS = "/var/log/pods"
_DATA = "/var/lib/otel-agent"


class CollectorAgentArgs(TypedDict):
    """Arguments of CollectorAgent."""

    namespace: pulumi.Input[str]
    """An existing namespace for node agents. Pod Security must be `privileged`: the agent mounts host folders."""
    platform_namespace: str
    """Namespace of the gateways and Prometheus."""
    gateway: str
    """App of the gateways."""
    gateway_port: int
    trace_targets: pulumi.Input[list[str]]
    """host:port of every gateway."""
    log_target: pulumi.Input[str]
    """gRPC target of all gateways."""
    prometheus: str
    """App that scrapes the agents."""
    pod_cidrs: NotRequired[Sequence[str]]
    """Ranges of the addresses of pods that may send, see network_policies.any_pod; none by default."""
    memory: str
    """Request and limit of each agent. settings.sizes.gateway_queue_bytes determines the minimum."""


class CollectorAgent(pulumi.ComponentResource):
    """The agents, which collect the logs of all pods and accept traces from programs."""

    otlp_url: pulumi.Output[str]
    """URL for OTLP over HTTP, served by the agent on the caller's own node."""

    def __init__(self, name: str, args: CollectorAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:CollectorAgent", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.otlp_url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, LISTEN.http)
        config = pulumi.Output.all(namespace, args["log_target"], args["trace_targets"]).apply(
            lambda known: _render(args["memory"], known)
        )
        config_map = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
            data={"agent.yaml": config},
            opts=child,
        )
        rights = _rights(name, namespace, child)
        network_policies.app_network(f"{name}-network", _network(args), child)
        k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP)},
            spec={
                "type": "ClusterIP",
                # An agent has metadata of the pods on its own node only. During its restart, programs there retry.
                "internal_traffic_policy": "Local",
                "selector": selector(APP),
                "ports": _service_ports(),
            },
            opts=child,
        )
        k8s.apps.v1.DaemonSet(
            f"{name}-daemonset",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.OTEL_COLLECTOR)},
            spec={
                "selector": {"match_labels": selector(APP)},
                # The old agent stops first, because two on a node would read the same files with the same checkpoints.
                "update_strategy": {"type": "RollingUpdate", "rolling_update": {"max_unavailable": 1, "max_surge": 0}},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.OTEL_COLLECTOR),
                        "annotations": {**scrape(LISTEN.metrics), ANNOTATION: checksum(config, salt=name)},
                    },
                    "spec": _pod(args),
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[config_map, rights]),
        )
        self.register_outputs({"otlp_url": self.otlp_url})


def _render(memory: str, values: Sequence[object]) -> str:
    namespace, log_target, trace_targets = values
    if not isinstance(trace_targets, list):
        raise TypeError(f"trace_targets is {trace_targets!r}; allowed: a list of host:port")
    return agent_config.render(
        AgentConfig(
            namespace=str(namespace),
            app=APP,
            trace_gateways=trace_targets,
            log_gateway=str(log_target),
            memory_bytes=quantity_bytes(memory),
            log_folder=_LOGS,
            data_folder=_DATA,
            listen=LISTEN,
        )
    )


def _service_ports() -> list[ServicePortArgsDict]:
    return [
        {"name": "otlp-grpc", "port": LISTEN.grpc, "target_port": "otlp-grpc", "protocol": "TCP"},
        {"name": "otlp-http", "port": LISTEN.http, "target_port": "otlp-http", "protocol": "TCP"},
    ]


def _pod(args: CollectorAgentArgs) -> PodSpecArgsDict:
    return {
        "service_account_name": APP,
        "automount_service_account_token": True,
        "enable_service_links": False,
        # Tainted nodes have logs, too.
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"node_affinity": REAL_NODES},
        # A full node evicts other pods for the agent. Any namespace may use this class, unless a quota limits it.
        "priority_class_name": "system-node-critical",
        "security_context": {"run_as_user": 0, "run_as_group": 0, "seccomp_profile": {"type": "RuntimeDefault"}},
        "termination_grace_period_seconds": 30,
        "containers": [pods.secured(_container(args))],
        "volumes": [
            {"name": "config", "config_map": {"name": f"{APP}-config"}},
            {"name": "logs", "host_path": {"path": _LOGS, "type": "Directory"}},
            # Two platforms on one node must not share checkpoints.
            {
                "name": "data",
                "host_path": {
                    "path": pulumi.Output.format("{0}/{1}", _DATA, args["namespace"]),
                    "type": "DirectoryOrCreate",
                },
            },
        ],
    }


def _container(args: CollectorAgentArgs) -> ContainerArgsDict:
    return {
        "name": APP,
        "image": versions.OTEL_COLLECTOR_IMAGE,
        "args": [f"--config={_CONFIG}/agent.yaml", *agent_config.FLAGS],
        "env": [
            {"name": "KUBE_NODE_NAME", "value_from": {"field_ref": {"field_path": "spec.nodeName"}}},
            {"name": "GOMEMLIMIT", "value": go_memory_limit(quantity_bytes(args["memory"]))},
        ],
        "ports": [
            {"name": "otlp-grpc", "container_port": LISTEN.grpc, "protocol": "TCP"},
            {"name": "otlp-http", "container_port": LISTEN.http, "protocol": "TCP"},
            {"name": "metrics", "container_port": LISTEN.metrics, "protocol": "TCP"},
            {"name": "health", "container_port": LISTEN.health, "protocol": "TCP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
        # Listing the node's pods for the first time and compacting large queues take a while.
        "startup_probe": pods.http_probe("/", "health", failures=60),
        "liveness_probe": pods.http_probe("/", "health", failures=6),
        "readiness_probe": pods.http_probe("/", "health"),
        "volume_mounts": [
            {"name": "config", "mount_path": _CONFIG, "read_only": True},
            {"name": "logs", "mount_path": _LOGS, "read_only": True},
            {"name": "data", "mount_path": _DATA},
        ],
    }


def _rights(name: str, namespace: pulumi.Input[str], child: pulumi.ResourceOptions) -> pulumi.Resource:
    """Read access to pods. Kubernetes cannot limit it to a node; the agent requests only the pods of its own node."""
    return cluster_rights(
        name,
        f"{name}-pods",
        app=APP,
        namespace=namespace,
        rules=[{"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        child=child,
    )


def _network(args: CollectorAgentArgs) -> network_policies.AppNetworkArgs:
    platform, tcp = args["platform_namespace"], network_policies.tcp
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {"from_": network_policies.any_pod(args.get("pod_cidrs", ())), "ports": tcp(LISTEN.grpc, LISTEN.http)},
            {"from_": [network_policies.app_in(platform, args["prometheus"])], "ports": tcp(LISTEN.metrics)},
        ],
        "egress": [
            {"to": [network_policies.app_in(platform, args["gateway"])], "ports": tcp(args["gateway_port"])},
            # The API server. It is not a pod, so no selector can name it.
            {"ports": tcp(443, 6443)},
        ],
    }
