"""Type table and replacement rules of the stand-in provider, against the official one's."""

import pulumi_kubernetes as sdk
import pytest
from pulumi.provider.experimental.provider import DiffResponse, PropertyDiffKind

from local.providers.kubernetes.diff import AUTONAMED, compare
from local.providers.kubernetes.kinds import KINDS, Mutability, UnsupportedKindError, kind_of
from local.providers.values import UNKNOWN

APPS, RBAC = "kubernetes:apps/v1", "kubernetes:rbac.authorization.k8s.io/v1"
MUTABLE = Mutability(config_map=True, secret=True)


@pytest.mark.parametrize(
    ("token", "path"),
    [
        ("kubernetes:core/v1:Namespace", "/api/v1/namespaces/n"),
        ("kubernetes:core/v1:ConfigMap", "/api/v1/namespaces/ns/configmaps/n"),
        (f"{APPS}:StatefulSet", "/apis/apps/v1/namespaces/ns/statefulsets/n"),
        (f"{RBAC}:ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/n"),
        ("kubernetes:policy/v1:PodDisruptionBudget", "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/n"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/n"),
        ("kubernetes:storage.k8s.io/v1:StorageClass", "/apis/storage.k8s.io/v1/storageclasses/n"),
        ("kubernetes:batch/v1:Job", "/apis/batch/v1/namespaces/ns/jobs/n"),
        ("kubernetes:networking.k8s.io/v1:Ingress", "/apis/networking.k8s.io/v1/namespaces/ns/ingresses/n"),
        ("kubernetes:eks.amazonaws.com/v1:IngressClassParams", "/apis/eks.amazonaws.com/v1/ingressclassparams/n"),
    ],
)
def test_path_follows_from_type_token(token, path):
    assert kind_of(token).path("ns", "n") == path


def test_every_token_is_one_of_the_sdk():
    groups = {"core": sdk.core, "apps": sdk.apps, "batch": sdk.batch, "policy": sdk.policy}
    groups |= {
        "rbac.authorization.k8s.io": sdk.rbac,
        "storage.k8s.io": sdk.storage,
        "networking.k8s.io": sdk.networking,
    }
    custom = {token for token in KINDS if token.startswith("kubernetes:eks.amazonaws.com/")}
    for token, kind in ((token, kind) for token, kind in KINDS.items() if token not in custom):
        group = groups[token.split(":")[1].split("/")[0]]
        assert hasattr(group.v1, kind.name)


def test_unknown_kind_is_one_error_that_names_it_and_what_is_known():
    with pytest.raises(UnsupportedKindError) as caught:
        kind_of("kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
    text = str(caught.value)
    assert "HorizontalPodAutoscaler" in text
    assert "StatefulSet (apps/v1)" in text
    assert "\n" not in text


def diff(token: str, old: dict, new: dict, mutable: Mutability = MUTABLE, ignore: tuple = ()) -> DiffResponse:
    base = {"metadata": {"name": "n", "namespace": "ns"}}
    return compare(kind_of(token), {**base, **old}, {**base, **new}, mutable=mutable, ignore=list(ignore))


def at(path: str, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


REPLACED = [
    *((f"{APPS}:StatefulSet", f"spec.{f}") for f in ("podManagementPolicy", "revisionHistoryLimit", "serviceName")),
    (f"{APPS}:StatefulSet", "spec.selector.matchLabels.app"),
    (f"{APPS}:StatefulSet", "spec.volumeClaimTemplates"),
    (f"{APPS}:Deployment", "spec.selector.matchLabels.app"),
    (f"{APPS}:DaemonSet", "spec.selector.matchLabels.app"),
    *(
        ("kubernetes:core/v1:PersistentVolumeClaim", f"spec.{f}")
        for f in ("accessModes", "selector", "storageClassName", "volumeName")
    ),
    ("kubernetes:storage.k8s.io/v1:StorageClass", "parameters.type"),
    ("kubernetes:storage.k8s.io/v1:StorageClass", "provisioner"),
    (f"{RBAC}:RoleBinding", "roleRef.name"),
    (f"{RBAC}:ClusterRoleBinding", "roleRef.name"),
    ("kubernetes:core/v1:Service", "spec.clusterIP"),
    *(("kubernetes:batch/v1:Job", f"spec.{f}") for f in ("template", "completions", "parallelism", "selector")),
    ("kubernetes:core/v1:Secret", "type"),
]
UPDATED = [
    (f"{APPS}:StatefulSet", "spec.replicas"),
    (f"{APPS}:StatefulSet", "spec.template.metadata.annotations.x"),
    (f"{APPS}:Deployment", "spec.replicas"),
    ("kubernetes:core/v1:PersistentVolumeClaim", "spec.resources.requests.storage"),
    ("kubernetes:storage.k8s.io/v1:StorageClass", "allowVolumeExpansion"),
    (f"{RBAC}:RoleBinding", "subjects"),
    ("kubernetes:core/v1:Service", "spec.ports"),
    ("kubernetes:core/v1:ConfigMap", "data.a"),
    ("kubernetes:core/v1:Secret", "data.a"),
    ("kubernetes:core/v1:Secret", "stringData.a"),
    ("kubernetes:policy/v1:PodDisruptionBudget", "spec.minAvailable"),
    ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.ingress"),
]


@pytest.mark.parametrize(("token", "path"), REPLACED)
@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("a", None), (None, "b")], ids=["changed", "removed", "added"])
def test_force_new_field_replaces_a_named_object_by_deleting_it_first(token, path, old, new):
    found = diff(token, at(path, old) if old else {}, at(path, new) if new else {})
    assert found.replaces
    assert found.delete_before_replace


@pytest.mark.parametrize(("token", "path"), UPDATED)
def test_other_field_is_updated_in_place(token, path):
    found = diff(token, at(path, "a"), at(path, "b"))
    assert found.changes
    assert found.replaces == []
    assert found.detailed_diff[path].kind is PropertyDiffKind.UPDATE


@pytest.mark.parametrize("key", ["name", "namespace"])
@pytest.mark.parametrize("token", [token for token, kind in KINDS.items() if kind.namespaced])
def test_another_identity_replaces_any_object_and_may_be_created_first(token, key):
    found = diff(token, {}, {"metadata": {"name": "n", "namespace": "ns", key: "other"}})
    assert found.replaces == [f"metadata.{key}"]
    assert not found.delete_before_replace


@pytest.mark.parametrize(
    ("kind", "field"), [("ConfigMap", "data"), ("ConfigMap", "binaryData"), ("Secret", "stringData")]
)
def test_content_replaces_unless_the_provider_makes_it_mutable(kind, field):
    token, old, new = f"kubernetes:core/v1:{kind}", {field: {"a": "1"}}, {field: {"a": "2"}}
    assert diff(token, old, new, Mutability()).replaces == [f"{field}.a"]
    assert diff(token, {**old, "immutable": True}, {**new, "immutable": True}).replaces == [f"{field}.a"]
    assert diff(token, old, new).replaces == []


def test_autonamed_object_is_created_before_the_old_one_goes():
    named = {"metadata": {"name": "n-12345678", "annotations": {AUTONAMED: "true"}}}
    found = diff("kubernetes:core/v1:ConfigMap", {**named, "data": {"a": "1"}}, {**named, "data": {}}, Mutability())
    assert found.replaces
    assert not found.delete_before_replace


def test_unknown_spec_replaces_when_it_may_hide_a_force_new_field():
    old = {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}}
    assert diff(f"{APPS}:StatefulSet", old, {"spec": UNKNOWN}).replaces == ["spec"]
    assert diff("kubernetes:policy/v1:PodDisruptionBudget", old, {"spec": UNKNOWN}).replaces == []


def test_no_change_ignored_change_and_implied_namespace_are_no_diff():
    assert diff(f"{APPS}:Deployment", at("spec.replicas", 1), at("spec.replicas", 1)).changes is False
    ignored = diff(f"{APPS}:Deployment", at("spec.replicas", 1), at("spec.replicas", 2), ignore=("spec.replicas",))
    assert ignored.changes is False
    implied = diff(
        "kubernetes:core/v1:Secret", {"metadata": {"name": "n"}}, {"metadata": {"name": "n", "namespace": "default"}}
    )
    assert implied.changes is False


def test_paths_are_written_as_the_engine_reads_them():
    old = {"metadata": {"name": "n", "namespace": "ns", "labels": {"a.b/c": "1"}}, "spec": {"ports": [{"port": 1}]}}
    new = {
        "metadata": {"name": "n", "namespace": "ns", "labels": {"a.b/c": "2"}},
        "spec": {"ports": [{"port": 2}, {"port": 3}]},
    }
    assert set(diff("kubernetes:core/v1:Service", old, new).detailed_diff) == {
        'metadata.labels["a.b/c"]',
        "spec.ports[0].port",
        "spec.ports[1]",
    }
