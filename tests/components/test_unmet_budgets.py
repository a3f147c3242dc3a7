"""A preview warns of disruption budgets that block every drain, by the pods that the cluster's workloads want."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import client

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes import cluster_check, unmet_budgets
from tools.http_server import Handler, serving

NAMESPACE = "shop"


def budget(**numbers: int) -> DisruptionBudget:
    return DisruptionBudget.model_validate({"system": "shop", "namespace": NAMESPACE, "app": "till", **numbers})


def workload(kind: str, app: str, replicas: int | None) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": app, "tier": "front"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": replicas, "serviceName": "s"}
    return {"kind": kind, "metadata": {"name": app}, "spec": spec}


@contextmanager
def cluster(*workloads: Mapping[str, Any], status: int = 200) -> Iterator[client.ApiClient]:
    """An API server with these workloads in the namespace."""

    class ApiServer(Handler):
        def respond(self) -> None:
            asked = self.path.partition("?")[0].removeprefix(f"/apis/apps/v1/namespaces/{NAMESPACE}/")
            kind = {"deployments": "Deployment", "statefulsets": "StatefulSet"}[asked]
            items = [one for one in workloads if one["kind"] == kind]
            self.answer(status, json.dumps({"kind": f"{kind}List", "items": items}).encode())

    with serving(ApiServer) as url:
        configuration = client.Configuration(host=url)
        configuration.retries = False
        yield client.ApiClient(configuration)


def doubt(api: client.ApiClient, **numbers: int) -> str | None:
    return unmet_budgets.doubt(api, 10, budgets={"till": budget(**numbers)}, namespaces=(NAMESPACE,))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    ("replicas", "numbers", "blocked"),
    [
        (1, {"minAvailable": 1}, True),
        (None, {"minAvailable": 1}, True),
        (2, {"minAvailable": 100}, True),
        (2, {"minAvailable": 1}, False),
        (0, {"minAvailable": 1}, False),
        (1, {"maxUnavailable": 1}, False),
    ],
)
def test_a_budget_that_no_drain_can_meet_is_found(
    kind: str, replicas: int | None, numbers: dict[str, int], blocked: bool
) -> None:
    with cluster(workload(kind, "till", replicas), workload(kind, "other", 50)) as api:
        found = doubt(api, **numbers)
    assert bool(found) == blocked
    if found:
        assert f"observability:disruptionBudgets.till.minAvailable is {numbers['minAvailable']}" in found
        assert f"app till in namespace shop has {replicas or 1} pod" in found


def test_pods_of_all_workloads_of_the_app_count() -> None:
    with cluster(workload("Deployment", "till", 1), workload("StatefulSet", "till", 1)) as api:
        assert doubt(api, minAvailable=1) is None
        assert doubt(api, minAvailable=2)


def test_budgets_of_namespaces_that_the_program_does_not_have_are_not_asked_for() -> None:
    with cluster(workload("Deployment", "till", 1)) as api:
        found = unmet_budgets.doubt(api, 10, budgets={"till": budget(minAvailable=1)}, namespaces=("other",))
    assert found is None


@pytest.mark.parametrize(("status", "text"), [(200, "a node drain waits for ever"), (403, "are not compared")])
def test_the_preview_warns_and_goes_on(status: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warnings.append)
    ask: Callable[[client.ApiClient, float], str | None] = lambda api, _: doubt(api, minAvailable=1)  # noqa: E731
    with cluster(workload("Deployment", "till", 1), status=status) as api:
        cluster_check._warn(api, "here", {"budgets are not compared": ask})  # pyright: ignore[reportPrivateUsage]
    (warning,) = warnings
    assert warning.startswith("here: ")
    assert text in warning
