"""Enforcement of network policies. Amazon's network plugin ignores all policies until a ConfigMap enables them.

The ConfigMap is the same in Auto Mode (EKS user guide, "Use network policies with EKS Auto Mode") and for the VPC CNI,
whose add-on writes it (`enableNetworkPolicy`).
"""

from http import HTTPStatus

import pulumi
import pulumi_kubernetes as k8s
from kubernetes import client

from components.kubernetes.labels import labels

NAMESPACE, NAME = "kube-system", "amazon-vpc-cni"
"""The ConfigMap. EKS makes none in Auto Mode."""
_KEY, _ON = "enable-network-policy-controller", "true"
# API group that only clusters in Auto Mode have.
_AUTO_MODE_GROUP = "eks.amazonaws.com"


class NetworkEnforcement(pulumi.ComponentResource):
    """Makes a new cluster in Auto Mode enforce network policies."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:NetworkEnforcement", name, {}, opts)
        k8s.core.v1.ConfigMap(
            f"{name}-enforcement",
            metadata={"name": NAME, "namespace": NAMESPACE, "labels": labels(NAME)},
            data={_KEY: _ON},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def doubt(api: client.ApiClient, *, timeout: float) -> str | None:
    """Why the cluster may not enforce network policies; None if there is no reason for doubt.

    `timeout` is in seconds. Raises ApiException and the exceptions of urllib3.
    """
    try:
        config_map = client.CoreV1Api(api).read_namespaced_config_map(NAME, NAMESPACE, _request_timeout=timeout)
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        groups = client.ApisApi(api).get_api_versions(_request_timeout=timeout).groups
        if all(group.name != _AUTO_MODE_GROUP for group in groups):
            return None
        return f"it is in Auto Mode, and has no ConfigMap {NAMESPACE}/{NAME} with {_KEY}: {_ON!r}"
    value = (config_map.data or {}).get(_KEY)
    return None if value == _ON else f"{_KEY} is {value!r} in ConfigMap {NAMESPACE}/{NAME}; allowed: {_ON!r}"
