"""The provider's answers to the engine that need no cluster: names, arguments, errors, and what is waited for."""

import asyncio
import time

import pytest
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckRequest,
    ConfigureRequest,
    CreateRequest,
    DeleteRequest,
    DiffRequest,
    ReadRequest,
    UpdateRequest,
)
from pulumi.runtime.proto import provider_pb2, status_pb2

from components.eks import facts
from local.providers.errors import InitError, ProviderError
from local.providers.kubernetes import pods, ready
from local.providers.kubernetes.connection import OFFLINE_SERVER, Connection, Target
from local.providers.kubernetes.diff import AUTONAMED
from local.providers.kubernetes.kinds import UnsupportedKindError, kind_of
from local.providers.kubernetes.provider import KubernetesProvider
from local.providers.server import details
from local.providers.values import UNKNOWN, plain, properties

CLOSED = "https://127.0.0.1:1"  # port 1 (tcpmux) is served nowhere
KUBECONFIG = f"""
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{CLOSED}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""


CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def check(inputs: dict, old: dict | None = None, token: str = CONFIG_MAP, seed: bytes = b"1"):
    urn = f"urn:pulumi:dev::project::{token}::Logical"
    request = CheckRequest(urn, properties(old or {}, {}), properties(inputs, {}), seed)
    return asyncio.run(KubernetesProvider().check(request))


def test_name_is_made_up_when_missing_and_kept_later():
    first = plain(check({"data": {}}).inputs)
    name, annotations = first["metadata"]["name"], first["metadata"]["annotations"]
    assert name.startswith("logical-")
    assert len(name) == len("logical-") + 8
    assert annotations == {AUTONAMED: "true"}
    assert plain(check({"data": {}}, old=first, seed=b"2").inputs)["metadata"]["name"] == name
    assert plain(check({"data": {}}, seed=b"2").inputs)["metadata"]["name"] != name


def test_given_and_unknown_names_are_left_alone():
    assert plain(check({"metadata": {"name": "mine"}}).inputs)["metadata"] == {"name": "mine"}
    assert plain(check({"metadata": {"name": UNKNOWN}}).inputs)["metadata"] == {"name": UNKNOWN}
    assert plain(check({"metadata": UNKNOWN}).inputs)["metadata"] == UNKNOWN


def test_version_and_kind_are_filled_in():
    found = plain(check({"metadata": {"name": "n"}}, token="kubernetes:apps/v1:Deployment").inputs)
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")


def test_secret_content_is_secret_from_the_first_check():
    assert check({"stringData": {"a": "b"}}, token="kubernetes:core/v1:Secret").inputs["stringData"].is_secret


def test_generate_name_and_unknown_kinds_are_refused():
    assert "generateName" in check({"metadata": {"generateName": "x-"}}).failures[0].property
    with pytest.raises(UnsupportedKindError, match="HorizontalPodAutoscaler"):
        check({}, token="kubernetes:autoscaling/v2:HorizontalPodAutoscaler")


def test_arguments_that_would_be_ignored_are_refused():
    args = {"renderYamlToDirectory": PropertyValue("x"), "enableConfigMapMutable": PropertyValue("true")}
    found = asyncio.run(KubernetesProvider().check_config(CheckRequest("urn", {}, args, b"")))
    assert [failure.property for failure in found.failures] == ["renderYamlToDirectory"]


def config_diff(old: dict, new: dict) -> list[str]:
    request = DiffRequest("urn", "id", properties(old, {}), properties(new, {}), [])
    return asyncio.run(KubernetesProvider().diff_config(request)).replaces


def test_cluster_identifier_decides_whether_a_kubeconfig_is_another_cluster():
    assert (
        config_diff({"clusterIdentifier": "a", "kubeconfig": "x"}, {"clusterIdentifier": "a", "kubeconfig": "y"}) == []
    )
    assert config_diff({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}) == ["clusterIdentifier"]
    other = KUBECONFIG.replace("127.0.0.1:1", "127.0.0.1:2")
    assert config_diff({"kubeconfig": KUBECONFIG}, {"kubeconfig": other}) == ["kubeconfig"]
    assert config_diff({"kubeconfig": KUBECONFIG}, {"kubeconfig": KUBECONFIG.replace("token: t", "token: new")}) == []


def test_unreachable_cluster_is_an_error_that_names_server_and_kubeconfig(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    args = {"kubeconfig": PropertyValue(str(path)), "context": PropertyValue("x")}
    with pytest.raises(ProviderError) as caught:
        asyncio.run(KubernetesProvider().configure(ConfigureRequest({}, args, True, True)))
    text = str(caught.value)
    assert CLOSED in text
    assert str(path) in text
    assert "context x" in text
    assert "refused" in text


@pytest.mark.parametrize("kubeconfig", ["/nowhere/kubeconfig", "{not: a kubeconfig}"])
def test_unusable_kubeconfig_is_one_clear_error(kubeconfig):
    with pytest.raises(ProviderError, match="no cluster to talk to"):
        Connection(Target(kubeconfig=kubeconfig))


def live(kind: str, spec: dict, status: dict) -> dict:
    return {"kind": kind, "metadata": {"name": "n", "namespace": "ns", "generation": 2}, "spec": spec, "status": status}


GOOD = {"observedGeneration": 2, "replicas": 2}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", {"replicas": 2}, {**GOOD, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ("Deployment", {"replicas": 2}, {**GOOD, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ("Deployment", {"replicas": 2}, {**GOOD, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        (
            "Deployment",
            {"replicas": 2},
            {**GOOD, "observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2},
            False,
        ),
        ("StatefulSet", {"replicas": 2}, {**GOOD, "readyReplicas": 2, "updatedReplicas": 2}, True),
        (
            "StatefulSet",
            {"replicas": 2},
            {**GOOD, "readyReplicas": 2, "updatedReplicas": 1, "updateRevision": "b"},
            False,
        ),
        ("StatefulSet", {"replicas": 0}, {"observedGeneration": 2, "replicas": 0}, True),
        ("DaemonSet", {}, {"observedGeneration": 2, "desiredNumberScheduled": 0}, True),
        (
            "DaemonSet",
            {},
            {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
            False,
        ),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, True),
        ("Job", {}, {}, False),
        ("PersistentVolumeClaim", {}, {"phase": "Bound"}, True),
        ("PersistentVolumeClaim", {}, {"phase": "Pending"}, False),
        ("Service", {"clusterIP": "None"}, {}, True),
        ("Service", {"type": "ExternalName"}, {}, True),
        ("Service", {"clusterIP": "10.0.0.1"}, {}, True),
    ],
)
def test_readiness_of_one_object(kind, spec, status, expected):
    assert ready.CHECKS[kind](Connection(Target(kubeconfig=KUBECONFIG)), live(kind, spec, status)).ready is expected


def test_failed_job_and_exceeded_progress_deadline_end_the_wait():
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]}
    stuck = {
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}]
    }
    connection = Connection(Target(kubeconfig=KUBECONFIG))
    assert ready.CHECKS["Job"](connection, live("Job", {}, failed)).failed
    assert ready.CHECKS["Deployment"](connection, live("Deployment", {}, {"observedGeneration": 2, **stuck})).failed


def pod(reason: str) -> dict:
    state = {"waiting": {"reason": reason, "message": "why"}}
    return {"metadata": {"name": "p", "uid": "u"}, "status": {"containerStatuses": [{"name": "c", "state": state}]}}


def test_pods_lose_patience_by_reason(monkeypatch):
    now = time.monotonic()
    patience = pods.Patience()
    assert "InvalidImageName: container c: why" in patience.lost([pod("InvalidImageName")])
    assert patience.lost([pod("CrashLoopBackOff")]) == ""
    monkeypatch.setattr(pods.time, "monotonic", lambda: now + pods.PATIENCE["CrashLoopBackOff"] + 5)
    assert "CrashLoopBackOff" in patience.lost([pod("CrashLoopBackOff")])
    assert patience.lost([pod("ContainerCreating")]) == ""


def test_time_limits():
    workload, claim = kind_of("kubernetes:apps/v1:Deployment"), kind_of("kubernetes:core/v1:PersistentVolumeClaim")
    annotated = {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "7"}}}
    assert ready.timeout_of(workload, {}, 0) == 600
    assert ready.timeout_of(claim, {}, 0) == 300
    assert ready.timeout_of(workload, annotated, 0) == 7
    assert ready.timeout_of(workload, annotated, 30) == 30


def test_object_that_is_not_ready_stays_in_the_state():
    error = InitError("ns/n", {"a": PropertyValue("b")}, {"c": PropertyValue("d")}, ["first", "second"])
    status = status_pb2.Status.FromString(details(error))
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    assert failed.id == "ns/n"
    assert dict(failed.properties) == {"a": "b"}
    assert list(failed.reasons) == ["first", "second"]


def test_a_refused_pod_ends_the_wait_of_an_update_whose_old_pods_still_run():
    refused = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: violates PodSecurity"}
    live = {"metadata": {"namespace": "n", "name": "d"}, "status": {"conditions": [refused]}}
    kind = kind_of("kubernetes:apps/v1:Deployment")
    nowhere = Connection(Target(kubeconfig=KUBECONFIG))
    assert ready._creation_problem(nowhere, kind, live, has_pods=True) == refused["message"]
    assert ready._creation_problem(nowhere, kind, {**live, "status": {}}, has_pods=True) == ""


def offline() -> KubernetesProvider:
    provider = KubernetesProvider()
    args = properties({"kubeconfig": KUBECONFIG.replace(CLOSED, "https://offline.invalid")}, {})
    asyncio.run(provider.configure(ConfigureRequest({}, args, True, True)))
    return provider


def test_offline_preview_says_what_the_program_says():
    inputs = properties({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": {"a": "1"}}, {})
    urn = f"urn:pulumi:dev::project::{CONFIG_MAP}::Logical"
    planned = plain(asyncio.run(offline().create(CreateRequest(urn, inputs, 0, True))).properties)
    assert (planned["data"], planned["metadata"]["name"], planned["metadata"]["uid"]) == ({"a": "1"}, "n", UNKNOWN)
    news = UpdateRequest(urn, "n", inputs, inputs, 0, [], True)
    assert plain(asyncio.run(offline().update(news)).properties)["data"] == {"a": "1"}


def test_offline_provider_does_nothing_but_previews():
    inputs = properties({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}}, {})
    urn = f"urn:pulumi:dev::project::{CONFIG_MAP}::Logical"
    clear = "https://offline.invalid is no cluster: an offline preview can only be a preview"
    with pytest.raises(ProviderError, match=clear):
        asyncio.run(offline().create(CreateRequest(urn, inputs, 0, False)))
    with pytest.raises(ProviderError, match=clear):
        asyncio.run(offline().read(ReadRequest(urn, "n", inputs, inputs)))
    with pytest.raises(ProviderError, match=clear):
        asyncio.run(offline().delete(DeleteRequest(urn, "n", inputs, 0)))


def test_program_and_provider_mean_the_same_address():
    assert facts.OFFLINE_SERVER == OFFLINE_SERVER
