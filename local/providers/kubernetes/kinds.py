"""The kinds of objects that the program uses: REST paths without discovery, and fields that force a replacement.

The replacement rules are those of the official provider 4.34; tests hold the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.providers.changes import Path
from local.providers.errors import ProviderError


class UnsupportedKindError(ProviderError):
    """The program uses a kind that the stand-in does not know; the text names it and all that are known."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of object."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True
    force_new: tuple[Path, ...] = ()
    """Fields whose change replaces the object, besides name and namespace."""

    @property
    def group(self) -> str:
        """API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def token(self) -> str:
        """Pulumi type token, as in `kubernetes:apps/v1:StatefulSet`."""
        return f"kubernetes:{self.api_version if self.group else 'core/' + self.api_version}:{self.name}"

    def path(self, namespace: str, name: str = "") -> str:
        """REST path of the object, or of the collection when `name` is empty."""
        parts = ["apis" if self.group else "api", self.api_version]
        parts += ["namespaces", quote(namespace)] if self.namespaced and namespace else []
        parts += [self.plural, quote(name)] if name else [self.plural]
        return "/" + "/".join(parts)


def _fields(*dotted: str) -> tuple[Path, ...]:
    return tuple(tuple(path.split(".")) for path in dotted)


_CORE = (
    Kind(api_version="v1", name="Namespace", plural="namespaces", namespaced=False),
    Kind(api_version="v1", name="ServiceAccount", plural="serviceaccounts"),
    Kind(api_version="v1", name="ConfigMap", plural="configmaps"),
    Kind(api_version="v1", name="Secret", plural="secrets", force_new=_fields("type")),
    Kind(api_version="v1", name="Service", plural="services", force_new=_fields("spec.clusterIP")),
    Kind(
        api_version="v1",
        name="PersistentVolumeClaim",
        plural="persistentvolumeclaims",
        force_new=_fields("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ),
)
_WORKLOADS = (
    Kind(
        api_version="apps/v1",
        name="StatefulSet",
        plural="statefulsets",
        force_new=_fields(
            "spec.podManagementPolicy",
            "spec.revisionHistoryLimit",
            "spec.selector",
            "spec.serviceName",
            "spec.volumeClaimTemplates",
        ),
    ),
    Kind(api_version="apps/v1", name="Deployment", plural="deployments", force_new=_fields("spec.selector")),
    Kind(api_version="apps/v1", name="DaemonSet", plural="daemonsets", force_new=_fields("spec.selector")),
    Kind(
        api_version="batch/v1",
        name="Job",
        plural="jobs",
        force_new=_fields("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ),
)
_RBAC = "rbac.authorization.k8s.io/v1"
_OTHERS = (
    Kind(api_version=_RBAC, name="Role", plural="roles"),
    Kind(api_version=_RBAC, name="RoleBinding", plural="rolebindings", force_new=_fields("roleRef")),
    Kind(api_version=_RBAC, name="ClusterRole", plural="clusterroles", namespaced=False),
    Kind(
        api_version=_RBAC,
        name="ClusterRoleBinding",
        plural="clusterrolebindings",
        namespaced=False,
        force_new=_fields("roleRef"),
    ),
    Kind(
        api_version="storage.k8s.io/v1",
        name="StorageClass",
        plural="storageclasses",
        namespaced=False,
        force_new=_fields("parameters", "provisioner"),
    ),
    Kind(api_version="policy/v1", name="PodDisruptionBudget", plural="poddisruptionbudgets"),
    Kind(api_version="networking.k8s.io/v1", name="NetworkPolicy", plural="networkpolicies"),
    Kind(api_version="networking.k8s.io/v1", name="Ingress", plural="ingresses"),
    Kind(api_version="networking.k8s.io/v1", name="IngressClass", plural="ingressclasses", namespaced=False),
    # A custom resource of EKS in Auto Mode.
    Kind(api_version="eks.amazonaws.com/v1", name="IngressClassParams", plural="ingressclassparams", namespaced=False),
)
KINDS: Mapping[str, Kind] = {kind.token: kind for kind in (*_CORE, *_WORKLOADS, *_OTHERS)}
"""By type token."""


def kind_of(token: str) -> Kind:
    """The kind behind a Pulumi type token; raises UnsupportedKindError for any other.

    The engine puts the types of the parents before a child's own, with a `$` between them.
    """
    token = token.rpartition("$")[2]
    if token in KINDS:
        return KINDS[token]
    known = ", ".join(sorted(f"{kind.name} ({kind.api_version})" for kind in KINDS.values()))
    raise UnsupportedKindError(
        f"the stand-in kubernetes provider does not support {token}; it supports {known}. "
        "Install the official plugin (pulumi plugin install resource kubernetes) to use any other kind"
    )


@dataclass(frozen=True, kw_only=True)
class Mutability:
    """Provider arguments that decide whether a change of content replaces a ConfigMap or Secret."""

    config_map: bool = False
    secret: bool = False


def force_new_fields(kind: Kind, new: Mapping[str, Any], mutable: Mutability) -> tuple[Path, ...]:
    """All fields of `new` whose change replaces the object."""
    identity = _fields("metadata.name", "metadata.namespace")
    frozen = new.get("immutable") is True
    if kind.name == "Secret" and (frozen or not mutable.secret):
        return (*identity, *_fields("type", "stringData", "data"))
    if kind.name == "ConfigMap" and (frozen or not mutable.config_map):
        return (*identity, *_fields("binaryData", "data"))
    return (*identity, *kind.force_new)
