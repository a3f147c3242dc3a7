"""The collector of Kubernetes' events: one pod that watches them and sends them to the gateways as log lines."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.collector import events_config
from components.collector.events_config import EventsConfig
from components.collector.shared_config import Listen, go_memory_limit
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.cluster_rights import cluster_rights
from components.kubernetes.labels import labels, scrape, selector
from settings import apps, sizes, versions
from settings.quantities import quantity_bytes

APP = apps.EVENTS
LISTEN = Listen()
_CONFIG = "/etc/otel-events"


class CollectorEventsArgs(TypedDict):
    """Arguments of CollectorEvents."""

    namespace: pulumi.Input[str]
    """An existing namespace, that of the gateways."""
    gateway: str
    """App of the gateways."""
    gateway_port: int
    log_target: pulumi.Input[str]
    """gRPC target of all gateways."""
    prometheus: str
    """App that scrapes it."""


class CollectorEvents(pulumi.ComponentResource):
    """Sends the events of all namespaces, each once."""

    def __init__(self, name: str, args: CollectorEventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:CollectorEvents", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace, tcp = args["namespace"], network_policies.tcp
        config = pulumi.Output.from_input(args["log_target"]).apply(
            lambda target: events_config.render(EventsConfig(gateway=target, listen=LISTEN))
        )
        config_map = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
            data={"events.yaml": config},
            opts=child,
        )
        rights = cluster_rights(
            name,
            f"{name}-reader",
            app=APP,
            namespace=namespace,
            # Releases of the receiver read one or the other of the two interfaces to the same events.
            rules=[
                {"api_groups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "watch"]},
            ],
            child=child,
        )
        network_policies.app_network(
            f"{name}-network",
            {
                "app": APP,
                "namespace": namespace,
                "ingress": [
                    {"from_": [network_policies.app_here(args["prometheus"])], "ports": tcp(LISTEN.metrics)},
                ],
                "egress": [
                    {"to": [network_policies.app_here(args["gateway"])], "ports": tcp(args["gateway_port"])},
                    # The API server. It is not a pod, so no selector can name it.
                    {"ports": tcp(443, 6443)},
                ],
            },
            child,
        )
        k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.OTEL_COLLECTOR)},
            spec={
                # Two would send every event twice.
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"match_labels": selector(APP)},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.OTEL_COLLECTOR),
                        "annotations": {**scrape(LISTEN.metrics), ANNOTATION: checksum(config, salt=name)},
                    },
                    "spec": {
                        "service_account_name": APP,
                        "automount_service_account_token": True,
                        "enable_service_links": False,
                        "security_context": pods.pod_security(pods.USERS[APP]),
                        "termination_grace_period_seconds": 10,
                        "containers": [
                            pods.secured(
                                {
                                    "name": APP,
                                    "image": versions.OTEL_COLLECTOR_IMAGE,
                                    "args": [f"--config={_CONFIG}/events.yaml"],
                                    "env": [
                                        {
                                            "name": "GOMEMLIMIT",
                                            "value": go_memory_limit(quantity_bytes(sizes.MEMORY[APP])),
                                        }
                                    ],
                                    "ports": [
                                        {"name": "metrics", "container_port": LISTEN.metrics, "protocol": "TCP"},
                                        {"name": "health", "container_port": LISTEN.health, "protocol": "TCP"},
                                    ],
                                    "resources": pods.resources(cores=sizes.CPU[APP], memory=sizes.MEMORY[APP]),
                                    "startup_probe": pods.http_probe("/", "health", failures=60),
                                    "liveness_probe": pods.http_probe("/", "health", failures=6),
                                    "readiness_probe": pods.http_probe("/", "health"),
                                    "volume_mounts": [{"name": "config", "mount_path": _CONFIG, "read_only": True}],
                                }
                            )
                        ],
                        "volumes": [{"name": "config", "config_map": {"name": f"{APP}-config"}}],
                    },
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[config_map, rights]),
        )
        self.register_outputs({"app": APP})
