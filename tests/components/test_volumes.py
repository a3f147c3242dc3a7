"""A larger volume never replaces a stateful set, and is refused until each claim has been grown."""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from components.assembly.cluster import replicated
from components.kubernetes import volumes
from settings import stack
from settings.eks import facts
from tests.mock_engine import SECRETS, Recorded, stack_config
from tools.http_server import Handler, serving

SIZE = "spec.volumeClaimTemplates[0].spec.resources.requests.storage"


def test_a_larger_volume_does_not_replace_its_stateful_set(program: Callable[..., Recorded]) -> None:
    recorded = [one for name in ("local", "production") for one in program(name).of("StatefulSet")]
    assert {one.object_name for one in recorded} == {"prometheus", "alertmanager", "loki", "jaeger", "otel-gateway"}
    for one in recorded:
        (claim,) = one.inputs["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"]["storage"]
        assert one.ignored == (SIZE,), one.object_name


def parsed(name: str, **changes: str) -> stack.Settings:
    secrets = {} if name == "local" else SECRETS
    return stack.parse(stack_config(name) | secrets | changes, list(secrets), ask_aws=facts.offline)


class Claims:
    """An API server with these claims: name -> size."""

    def __init__(self) -> None:
        self.sizes: dict[str, str] = {}
        self.url = ""

    def problem(self, **changes: str) -> str | None:
        settings = parsed("production", **changes)
        api = client.ApiClient(client.Configuration(host=self.url))
        return volumes.too_small("observability", replicated(settings.values), api, 5.0)


@pytest.fixture
def claims() -> Iterator[Claims]:
    made = Claims()

    class ApiServer(Handler):
        def respond(self) -> None:
            assert self.path == "/api/v1/namespaces/observability/persistentvolumeclaims"
            items: list[Any] = [
                {"metadata": {"name": name}, "spec": {"resources": {"requests": {"storage": size}}}}
                for name, size in made.sizes.items()
            ]
            self.answer(200, json.dumps({"kind": "PersistentVolumeClaimList", "items": items}).encode())

    with serving(ApiServer) as made.url:
        yield made


def test_each_claim_that_is_too_small_is_named_with_the_command(claims: Claims) -> None:
    claims.sizes = {"data-prometheus-0": "200Gi", "data-prometheus-1": "100Gi", "data-loki-0": "1Ti"}
    problem = claims.problem(prometheusStorage="200Gi")
    assert problem
    assert problem.startswith(
        'prometheusStorage: "200Gi" is more than the claim data-prometheus-1 has (100Gi); allowed: a size that all '
    )
    command = shlex.split(problem.split("runs: ")[1])
    assert " ".join(command[:-1]) == "kubectl -n observability patch pvc data-prometheus-1 --type merge -p"
    assert json.loads(command[-1]) == {"spec": {"resources": {"requests": {"storage": "200Gi"}}}}


@pytest.mark.parametrize("key", ["prometheusStorage", "alertmanagerStorage", "lokiStorage", "collectorStorage"])
def test_every_size_of_replicas_is_compared(claims: Claims, key: str) -> None:
    apps = {"prometheusStorage": "prometheus", "alertmanagerStorage": "alertmanager", "lokiStorage": "loki"}
    claims.sizes = {f"data-{apps.get(key, 'otel-gateway')}-0": "64Mi"}
    assert str(claims.problem(**{key: "999Gi"})).startswith(f'{key}: "999Gi" is more')


def test_no_stateful_set_of_a_stack_is_forgotten(program: Callable[..., Recorded]) -> None:
    for name in ("local", "production"):
        settings = parsed(name)
        compared = {one.app: (one.replicas, one.size) for one in replicated(settings.values).values()}
        for one in program(name).of("StatefulSet"):
            (claim,) = one.inputs["spec"]["volumeClaimTemplates"]
            size = claim["spec"]["resources"]["requests"]["storage"]
            assert compared[one.object_name] == (one.inputs["spec"]["replicas"], size)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"data-prometheus-0": "204800Mi"},
        {"data-prometheus-0": "300Gi"},
        # Retained when somebody removed the replica.
        {"data-prometheus-7": "1Gi"},
        {"data-prometheus-adapter-0": "1Gi", "grafana": "1Gi"},
    ],
)
def test_other_claims_are_accepted(claims: Claims, sizes: dict[str, str]) -> None:
    claims.sizes = sizes
    assert claims.problem(prometheusStorage="200Gi") is None
