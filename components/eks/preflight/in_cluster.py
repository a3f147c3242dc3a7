"""Checks in an existing EKS cluster for software and objects of others that the program would need, or would take over.

EKS knows only add-ons that were installed as such. What Helm or kubectl installed is found by the objects that each
software has everywhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from kubernetes import client

from components.eks.network import network_enforcement
from components.kubernetes.cluster_check import Question
from components.kubernetes.labels import PART_OF, PLATFORM
from settings.eks import addons
from settings.eks.addons import EBS_CSI_DRIVER, POD_IDENTITY_AGENT
from settings.stack import Settings


@dataclass(frozen=True, kw_only=True)
class _Software:
    """An object by which installed software is found."""

    shown: str
    read: Callable[[client.ApiClient, float], object]


_SOFTWARE: Mapping[str, _Software] = {
    EBS_CSI_DRIVER: _Software(
        shown="CSIDriver ebs.csi.aws.com",
        read=lambda api, timeout: client.StorageV1Api(api).read_csi_driver("ebs.csi.aws.com", _request_timeout=timeout),
    ),
    POD_IDENTITY_AGENT: _Software(
        shown="DaemonSet kube-system/eks-pod-identity-agent",
        read=lambda api, timeout: client.AppsV1Api(api).read_namespaced_daemon_set(
            "eks-pod-identity-agent", "kube-system", _request_timeout=timeout
        ),
    ),
    "metrics-server": _Software(
        shown="APIService v1beta1.metrics.k8s.io",
        read=lambda api, timeout: client.ApiregistrationV1Api(api).read_api_service(
            "v1beta1.metrics.k8s.io", _request_timeout=timeout
        ),
    ),
    "cert-manager": _Software(
        shown="CustomResourceDefinition certificates.cert-manager.io",
        read=lambda api, timeout: client.ApiextensionsV1Api(api).read_custom_resource_definition(
            "certificates.cert-manager.io", _request_timeout=timeout
        ),
    ),
}


def questions(settings: Settings) -> list[Question]:
    """The questions to the stack's cluster; none unless it is an existing EKS cluster."""
    values, facts = settings.values, settings.facts
    if facts is None or facts.cluster is None:
        return []
    modes = addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode, create=values.cluster == "create")
    found: list[Question] = []
    if modes[EBS_CSI_DRIVER] == "existing" and not values.storage_class:
        found.append(partial(_missing, EBS_CSI_DRIVER, "or storageClass, with a class that another driver serves"))
    if modes[POD_IDENTITY_AGENT] == "existing":
        found.append(partial(_missing, POD_IDENTITY_AGENT, "because pods get their AWS identity from it"))
    found += [
        partial(_installed_otherwise, addon)
        for addon, mode in modes.items()
        if mode == "managed" and addon in _SOFTWARE and addon not in facts.cluster.addons
    ]
    if values.eks_auto_mode and values.ingress != "none":
        found.append(partial(_foreign_class, values.ingress_class_name))
    if values.cluster == "create":
        found.append(_foreign_enforcement)
    return found


def _missing(addon: str, alternative: str, api: client.ApiClient, timeout: float) -> str | None:
    software = _SOFTWARE[addon]
    if _read(software.read, api, timeout) is not None:
        return None
    return (
        f'eksAddons.{addon}: "existing" is not allowed: there is no {software.shown}; allowed: managed, which installs '
        f"it, {alternative}"
    )


def _installed_otherwise(addon: str, api: client.ApiClient, timeout: float) -> str | None:
    software = _SOFTWARE[addon]
    if _read(software.read, api, timeout) is None:
        return None
    return (
        f'eksAddons.{addon}: "managed" is not allowed: {software.shown} exists, and no EKS add-on installed it; '
        "allowed: existing, which uses it and changes nothing"
    )


def _foreign_class(name: str, api: client.ApiClient, timeout: float) -> str | None:
    """An ingress class of this name that the platform did not create. The provider would take it over, and delete it
    with the stack."""

    def read_class(api: client.ApiClient, timeout: float) -> object:
        return client.NetworkingV1Api(api).read_ingress_class(name, _request_timeout=timeout)

    def read_parameters(api: client.ApiClient, timeout: float) -> object:
        return client.CustomObjectsApi(api).get_cluster_custom_object(
            "eks.amazonaws.com", "v1", "ingressclassparams", name, _request_timeout=timeout
        )

    for kind, read in (("IngressClass", read_class), ("IngressClassParams", read_parameters)):
        existing = _read(read, api, timeout)
        if existing is not None and _labels(existing).get(PART_OF) != PLATFORM:
            return (
                f"ingressClass: {json.dumps(name)} is not allowed: {kind} {name} exists, and this platform did not "
                "create it; allowed: another name, under which the program creates a class of its own"
            )
    return None


def _foreign_enforcement(api: client.ApiClient, timeout: float) -> str | None:
    """The network plugin's ConfigMap, made by others after the stack made the cluster. The provider creates no object
    that exists, and the program writes one in each cluster that it makes."""

    def read(api: client.ApiClient, timeout: float) -> object:
        return client.CoreV1Api(api).read_namespaced_config_map(
            network_enforcement.NAME, network_enforcement.NAMESPACE, _request_timeout=timeout
        )

    existing = _read(read, api, timeout)
    if existing is None or _labels(existing).get(PART_OF) == PLATFORM:
        return None
    namespace, name = network_enforcement.NAMESPACE, network_enforcement.NAME
    return (
        f'cluster: "create" is not allowed: ConfigMap {namespace}/{name} exists, and this platform did not create it; '
        f"allowed: create once it is gone, which leaves network policies unenforced until the program has written it: "
        f"kubectl -n {namespace} delete configmap {name}"
    )


def _read(read: Callable[[client.ApiClient, float], object], api: client.ApiClient, timeout: float) -> object | None:
    try:
        return read(api, timeout)
    except client.ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _labels(existing: object) -> Mapping[str, str]:
    metadata = existing.get("metadata") if isinstance(existing, dict) else getattr(existing, "metadata", None)
    labels = metadata.get("labels") if isinstance(metadata, dict) else getattr(metadata, "labels", None)
    return labels or {}
