"""The way of pods out of the cluster, where it is not direct: by a proxy, and with authorities of one's own.

Go and Python read both from the environment; Alertmanager reads the proxy from its configuration only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels

NAME = "ca-bundle"
_FOLDER = "/etc/ca-bundle"
_FILE = "ca.crt"
# Kubernetes puts the address of its API there. The agents of EKS Pod Identity and of the node have fixed addresses.
_INSIDE = (
    "localhost",
    "127.0.0.1",
    ".svc",
    ".svc.cluster.local",
    "$(KUBERNETES_SERVICE_HOST)",
    "169.254.170.23",
    "169.254.169.254",
)


@dataclass(frozen=True, kw_only=True)
class Outbound:
    """How pods leave the cluster."""

    proxy: str = ""
    """http://HOST:PORT; empty for a direct way."""
    direct: Sequence[str] = ()
    """Hosts and address ranges to which the way is direct, besides those of the cluster itself."""
    ca_bundle: str = ""
    """PEM of all authorities that pods trust; empty for those of their images."""

    @property
    def port(self) -> int | None:
        """The proxy's port; None without a proxy."""
        return urlsplit(self.proxy).port if self.proxy else None


def pod(spec: Mapping[str, Any], outbound: Outbound) -> dict[str, Any]:
    """The pod's spec with the variables of each container, and with the authorities as a volume."""
    changed = {**spec, "containers": [_container(one, outbound) for one in spec["containers"]]}
    if outbound.ca_bundle:
        changed["volumes"] = [*spec.get("volumes", ()), {"name": NAME, "config_map": {"name": NAME}}]
    return changed


def _container(container: Mapping[str, Any], outbound: Outbound) -> dict[str, Any]:
    variables: dict[str, str] = {}
    if outbound.proxy:
        # Only for https: what is plain http is in the cluster, or the agent on the node.
        variables |= {"HTTPS_PROXY": outbound.proxy, "NO_PROXY": ",".join((*_INSIDE, *outbound.direct))}
    if outbound.ca_bundle:
        variables["SSL_CERT_FILE"] = f"{_FOLDER}/{_FILE}"
    own = [{"name": name, "value": value} for name, value in variables.items()]
    changed = {**container, "env": [*container.get("env", ()), *own]}
    if outbound.ca_bundle:
        mount = {"name": NAME, "mount_path": _FOLDER, "read_only": True}
        changed["volume_mounts"] = [*container.get("volume_mounts", ()), mount]
    return changed


def network(spec: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The policy's spec, in which whoever may go anywhere by https may also go to the proxy's port."""
    return {**spec, "egress": [_rule(one, port) for one in spec.get("egress", ())]}


def _rule(rule: Mapping[str, Any], port: int) -> dict[str, Any]:
    if rule.get("to") or not rule.get("ports"):
        return dict(rule)

    def extended(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        numbers = {one["port"] for one in ports}
        return [*ports, {"protocol": "TCP", "port": port}] if 443 in numbers and port not in numbers else ports

    return {**rule, "ports": pulumi.Output.from_input(rule["ports"]).apply(extended)}


def ca_bundle(name: str, namespace: pulumi.Input[str], bundle: str, parent: pulumi.Resource) -> None:
    """Creates the ConfigMap with the authorities in a namespace; nothing if `bundle` is empty."""
    if bundle:
        k8s.core.v1.ConfigMap(
            f"{name}-ca-bundle",
            metadata={"name": NAME, "namespace": namespace, "labels": labels(NAME)},
            data={_FILE: bundle},
            opts=pulumi.ResourceOptions(parent=parent),
        )
