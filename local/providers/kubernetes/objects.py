"""The shapes of objects between API server, engine and state: names, owners, outputs, and the texts of refusals."""

import hashlib
import os

from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from local.providers.kubernetes import ready
from local.providers.kubernetes.diff import AUTONAMED
from local.providers.kubernetes.kinds import Kind
from local.providers.kubernetes.values import with_secret_data
from local.providers.values import UNKNOWN, Object, Values, is_unknown, mapping, mappings, properties

OWNER_VARIABLE = "PULUMI_KUBERNETES_OWNER"
"""Environment variable that tells two checkouts apart which deploy the same stack name to one cluster."""

MANAGER = "pulumi-kubernetes-"
# The official provider's names for what it keeps in the state beside the live object.
INPUTS, FIELD_MANAGER, INITIAL_VERSION = "__inputs", "__fieldManager", "__initialApiVersion"


def planned_state(kind: Kind, live: Object, inputs: Object, like: Values, old: Object | None = None) -> Values:
    """Outputs in a preview: what the dry run gave, except what only the real run decides."""
    before = mapping((old or {}).get("metadata"))
    decided = {key: before.get(key, UNKNOWN) for key in ("uid", "creationTimestamp")}
    metadata = {**mapping(live.get("metadata")), **decided, "resourceVersion": UNKNOWN, "generation": UNKNOWN}
    metadata.pop("managedFields", None)
    # What the program sets is known; a metadata that is unknown as a whole stays so.
    planned = {**live, "metadata": UNKNOWN if is_unknown(inputs.get("metadata")) else metadata}
    if kind.name in (*ready.CHECKS, "Namespace", "PodDisruptionBudget", "Ingress"):
        planned["status"] = UNKNOWN
    if kind.name == "Service" and old is None and isinstance(planned.get("spec"), dict):
        given = mapping(inputs.get("spec"))
        unknown = {key: given.get(key, UNKNOWN) for key in ("clusterIP", "clusterIPs")}
        planned["spec"] = {**mapping(planned["spec"]), **unknown}
    return with_secret_data(kind.name, properties(planned, like))


def state_of(kind: Kind, live: Object, inputs: Object, manager: str, like: Values) -> Values:
    """What the state keeps of a live object, with our inputs and the name of our field manager."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    texts = {"stringData": inputs["stringData"]} if "stringData" in inputs else {}
    outputs = with_secret_data(kind.name, properties({**live, **texts, "metadata": metadata}, like))
    known = PropertyValue(with_secret_data(kind.name, properties(inputs, like)))
    kept = {FIELD_MANAGER: PropertyValue(manager), INITIAL_VERSION: PropertyValue(kind.api_version)}
    return {**outputs, **kept, INPUTS: known}


def autoname(request: rpc.CheckRequest, metadata: Object, old: Object) -> Object:
    """A unique name from the logical one; the old name when that was made up, too."""
    kept = old.get("name") if AUTONAMED in mapping(old.get("annotations")) else None
    seed = request.random_seed or os.urandom(16)
    name = kept or f"{request.name.lower()}-{hashlib.sha256(seed).hexdigest()[:8]}"
    return {"name": name, "annotations": {**mapping(metadata.get("annotations")), AUTONAMED: "true"}}


def identity(kind: Kind, value: Object) -> tuple[str, str]:
    """Namespace and name; the namespace is empty for a cluster-wide kind."""
    metadata = mapping(value.get("metadata"))
    namespace = str(metadata.get("namespace") or "default") if kind.namespaced else ""
    return namespace, str(metadata["name"])


def id_of(kind: Kind, live: Object) -> str:
    """Pulumi's id: `namespace/name` or `name`."""
    return "/".join(part for part in identity(kind, live) if part)


def manager_of(urn: str) -> str:
    """Field manager of an object: the same in every run of this checkout, and no other."""
    owner = os.environ.get(OWNER_VARIABLE, "")
    return MANAGER + hashlib.sha256(f"{owner}|{urn}".encode()).hexdigest()[:12]


def managers(live: Object) -> dict[str, str]:
    """Field managers of an object and the server's time of their last change."""
    found = mappings(live["metadata"].get("managedFields"))
    return {str(entry.get("manager")): str(entry.get("time", "")) for entry in found}


def aside(body: Object, namespace: str = "") -> Object:
    """`body` under a name, and if given in a namespace, where a dry run meets no existing object."""
    metadata = mapping(body.get("metadata"))
    moved = {"namespace": namespace} if namespace else {}
    return {**body, "metadata": {**metadata, **moved, "name": f"{str(metadata['name'])[:50]}-preview"}}


def importable(live: Object) -> Object:
    """Inputs that an imported object stands for."""
    kept = {
        key: value for key, value in live["metadata"].items() if key in ("name", "namespace", "labels", "annotations")
    }
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": kept}


def exists(kind: Kind, namespace: str, name: str) -> str:
    """Why an object is not created."""
    where = f"{namespace}/{name}" if namespace else name
    return (
        f"{kind.name} {where} already exists and does not belong to this stack. Delete it, choose another name, "
        f"or adopt it with pulumi.ResourceOptions(import_={where!r})"
    )


def stuck(kind: Kind, live: Object, seconds: float) -> str:
    """Why a deleted object is still there."""
    metadata, conditions = live["metadata"], mappings(mapping(live.get("status")).get("conditions"))
    lines = [f"{kind.name} {metadata['name']} was not gone {seconds:g} s after its deletion"]
    lines += [f"finalizer: {name}" for name in metadata.get("finalizers") or []]
    lines += [str(found.get("message")) for found in conditions if found.get("status") == "True"]
    return "\n".join(lines)
