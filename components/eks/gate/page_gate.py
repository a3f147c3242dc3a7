"""The page gate: the way of people to Prometheus, Alertmanager and Jaeger, by the groups of their login.

The load balancer checks that somebody is logged in, but no groups, and these pages check nothing. So it sends their
requests to the gate, and only the gate reaches the pages.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, ServicePortArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.eks.gate import gate
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.disruption_budgets import own_budget
from components.kubernetes.labels import labels, selector
from settings import sizes, versions
from settings.apps import PAGE_GATE
from settings.pages import PAGES, Page

APP = PAGE_GATE.name
HEALTH = "/healthz"
_PROGRAM = Path(gate.__file__)
_FOLDER = "/gate"
_REPLICAS = 2


class PageGateArgs(TypedDict):
    """Arguments of PageGate."""

    namespace: pulumi.Input[str]
    """An existing namespace, which has the pages."""
    targets: Mapping[Page, pulumi.Input[Sequence[str]]]
    """Page -> host:port of each of its replicas, or of its Service."""
    user_info: str
    """User info endpoint of the issuer, an https URL."""
    viewers: Sequence[str]
    """Groups that may view the pages. If empty, everybody may who is logged in."""
    editors: Sequence[str]
    """Groups that may silence alerts."""


class PageGate(pulumi.ComponentResource):
    """Two replicas without a state."""

    ports: Mapping[Page, int]
    """Page -> port of its gate."""

    def __init__(self, name: str, args: PageGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:PageGate", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.ports = {page: PAGE_GATE.port + number for number, page in enumerate(PAGES) if page in args["targets"]}
        metadata: ObjectMetaArgsDict = {"name": APP, "namespace": namespace, "labels": labels(APP)}
        program = _PROGRAM.read_text()
        files = k8s.core.v1.ConfigMap(f"{name}-program", metadata=metadata, data={_PROGRAM.name: program}, opts=child)
        self._networks(name, args, child)
        ports: list[ServicePortArgsDict] = [
            {"name": page, "port": self.ports[page], "target_port": page, "protocol": "TCP"} for page in args["targets"]
        ]
        k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata,
            spec={"type": "ClusterIP", "selector": selector(APP), "ports": ports},
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
                        "annotations": {ANNOTATION: checksum(program, salt=name)},
                    },
                    "spec": {
                        "automount_service_account_token": False,
                        "enable_service_links": False,
                        "security_context": pods.pod_security(pods.USERS[APP]),
                        "termination_grace_period_seconds": 10,
                        "topology_spread_constraints": pods.spread(APP),
                        "containers": [pods.secured(_container(args, self.ports))],
                        "volumes": [{"name": "program", "config_map": {"name": APP}}],
                    },
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[files]),
        )
        own_budget(f"{name}-budget", APP, namespace, child)
        self.register_outputs({"ports": self.ports})

    def _networks(self, name: str, args: PageGateArgs, child: pulumi.ResourceOptions) -> None:
        """To the pages and the issuer. Who comes in is said in components/eks/ingress.py."""
        here, tcp, namespace = network_policies.app_here, network_policies.tcp, args["namespace"]
        pages = {page: tcp(PAGES[page].port) for page in args["targets"]}
        network_policies.app_network(
            f"{name}-network",
            {
                "app": APP,
                "namespace": namespace,
                "egress": [
                    *({"to": [here(page)], "ports": ports} for page, ports in pages.items()),
                    # The issuer has no fixed addresses.
                    {"ports": tcp(urlsplit(args["user_info"]).port or 443)},
                ],
            },
            child,
        )
        for page, ports in pages.items():
            network_policies.app_network(
                f"{name}-{page}-network",
                {
                    "app": page,
                    "name": f"{page}-{APP}",
                    "namespace": namespace,
                    "ingress": [{"from_": [here(APP)], "ports": ports}],
                },
                child,
            )


def _container(args: PageGateArgs, ports: Mapping[Page, int]) -> ContainerArgsDict:
    pages = {page: {"port": ports[page], "targets": targets} for page, targets in args["targets"].items()}
    variables: dict[str, pulumi.Input[str]] = {
        "PAGES": pulumi.Output.json_dumps(pages, sort_keys=True),
        "VIEWERS": json.dumps(list(args["viewers"])),
        "EDITORS": json.dumps(list(args["editors"])),
        "USER_INFO": args["user_info"],
    }
    first = next(iter(args["targets"]))
    return {
        "name": APP,
        "image": versions.PYTHON_IMAGE,
        "command": ["python3", f"{_FOLDER}/{_PROGRAM.name}"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [{"name": page, "container_port": ports[page], "protocol": "TCP"} for page in args["targets"]],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=sizes.MEMORY[APP]),
        "startup_probe": pods.http_probe(HEALTH, first, failures=24),
        "liveness_probe": pods.http_probe(HEALTH, first, failures=6),
        "readiness_probe": pods.http_probe(HEALTH, first),
        "volume_mounts": [{"name": "program", "mount_path": _FOLDER, "read_only": True}],
    }
