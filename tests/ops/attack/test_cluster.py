"""The namespaces of an attack are removed whatever happens, also those of a run that was killed."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from ops.attack import attacks
from ops.attack import cluster as module
from ops.attack.cluster import AttackCluster
from ops.errors import OpsError

PLAN = attacks.plan(1_700_000_000, "observability")


class Core:
    """An API server with namespaces only."""

    def __init__(self) -> None:
        self.ages = {"attack-1-old": timedelta(hours=2), "attack-2-running": timedelta(minutes=5)}
        self.made = {name: dict[str, Any]() for name in self.ages}
        self.pods: list[str] = []
        self.refusals = 2
        self.undeletable = ""
        self.log = ""

    def list_namespace(self, label_selector: str) -> Any:
        now = datetime.now(UTC)
        return SimpleNamespace(
            items=[
                SimpleNamespace(
                    metadata=SimpleNamespace(name=name, creation_timestamp=now - self.ages.get(name, timedelta()))
                )
                for name, labels in self.made.items()
                if name in self.ages or label_selector in labels
            ]
        )

    def create_namespace(self, body: Any) -> None:
        self.made[body["metadata"]["name"]] = body["metadata"]["labels"]

    def delete_namespace(self, name: str) -> None:
        if name == self.undeletable:
            raise client.ApiException(status=500, reason="broken")
        if self.made.pop(name, None) is None:
            raise client.ApiException(status=404)

    def create_namespaced_pod(self, namespace: str, body: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise client.ApiException(status=403, reason="serviceaccount default not found")
        self.pods.append(f"{namespace}/{body['metadata']['name']}")

    def read_namespaced_pod(self, _pod: str, _namespace: str) -> Any:
        return SimpleNamespace(status=SimpleNamespace(phase="Running"))

    def read_namespaced_pod_log(self, _pod: str, _namespace: str) -> str:
        return self.log


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> tuple[AttackCluster, Core]:
    """A cluster with a fake API server."""
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    made, core = AttackCluster.__new__(AttackCluster), Core()
    made._core, made._image = core, "image"  # pyright: ignore[reportAttributeAccessIssue]
    return made, core


def test_pods_are_created_once_the_namespace_takes_them(cluster: tuple[AttackCluster, Core]) -> None:
    """A new namespace refuses pods until it has its service account."""
    attack, core = cluster
    with attack.running(PLAN, "http://agent"):
        assert len(core.pods) == sum(map(len, PLAN.pods.values()))
        assert attack.left(PLAN) == sorted(PLAN.pods)
        assert [name for name, labels in core.made.items() if "observability/access" in labels] == [PLAN.reader]
    assert attack.left(PLAN) == []
    assert {*core.made} == {"attack-2-running"}, "what a killed run left is removed, and what may run is not"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OpsError], ids=lambda error: error.__name__)
def test_an_interrupted_run_leaves_nothing(cluster: tuple[AttackCluster, Core], error: Callable[[], Exception]) -> None:
    attack, core = cluster
    with pytest.raises(error), attack.running(PLAN, "http://agent"):  # pyright: ignore[reportArgumentType]
        raise error
    assert {*core.made} == {"attack-2-running"}


def test_a_run_that_cannot_start_leaves_nothing(
    cluster: tuple[AttackCluster, Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, core = cluster
    monkeypatch.setattr(module, "_ACCOUNT", 0.0)
    core.refusals = 99
    with pytest.raises(OpsError, match="403"), attack.running(PLAN, "http://agent"):
        pytest.fail("the pods are refused")
    assert {*core.made} == {"attack-2-running"}


def test_one_namespace_that_cannot_be_deleted_does_not_keep_the_others(cluster: tuple[AttackCluster, Core]) -> None:
    attack, core = cluster
    core.undeletable = next(iter(PLAN.pods))
    with pytest.raises(OpsError, match=f"delete them with kubectl: {core.undeletable}"), attack.running(PLAN, ""):
        pass
    assert attack.left(PLAN) == [core.undeletable]


def test_rounds_are_read_from_the_log(cluster: tuple[AttackCluster, Core]) -> None:
    attack, core = cluster
    core.log = '{"level": "info", "message": "innocent 1.0"}\n{"round": 1, "sent": [200]}\n{"round": 2, "se'
    assert attack.rounds("a", "b") == [{"round": 1, "sent": [200]}]


def test_a_pod_that_failed_is_named_with_its_last_words(
    cluster: tuple[AttackCluster, Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, core = cluster
    core.log = "Traceback: no such thing"
    failed = SimpleNamespace(status=SimpleNamespace(phase="Failed"))
    monkeypatch.setattr(core, "read_namespaced_pod", lambda *_: failed)
    with pytest.raises(OpsError, match="pod a/b failed: Traceback: no such thing"):
        attack.rounds("a", "b")


def test_pods_have_no_rights_and_end_by_themselves(cluster: tuple[AttackCluster, Core]) -> None:
    attack, _ = cluster
    pod = attack._pod(dataclasses.replace(PLAN.pods[PLAN.attacker][0]), "http://agent")
    assert pod["spec"]["activeDeadlineSeconds"] == module._LIFETIME
    assert pod["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["automountServiceAccountToken"] is False
