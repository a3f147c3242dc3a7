"""Single components: namespace, budgets, simulator, Alertmanager and receiver. Errors in a program fail its test."""

from collections.abc import Callable

import pulumi
import pytest

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes.disruption_budgets import DisruptionBudgets
from components.kubernetes.namespace import Namespace
from components.kubernetes.network_policies import app_in
from components.metrics.alertmanager import Alertmanager
from components.simulation.receiver import Receiver
from components.simulation.simulator import Simulator
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
BUDGET = DisruptionBudget(namespace="shop", system="shop", app="till", min_available=2)


def test_namespace_gives_its_name_and_takes_labels(engine: Engine, preview: bool) -> None:
    recorded = engine(lambda: Namespace("home", {"name": "house", "labels": {"a": "b"}}), preview=preview)
    assert recorded.outputs == {"home": {"namespace": "house"}}
    assert [one.name for one in recorded.resources] == ["home", "home-namespace", "home-default-deny"]
    assert recorded.resources[1].inputs["metadata"]["labels"]["a"] == "b"


def test_budgets_of_absent_namespaces_are_left_out(engine: Engine, preview: bool) -> None:
    budgets = {"till": BUDGET, "other": BUDGET.model_copy(update={"namespace": "elsewhere"})}
    recorded = engine(
        lambda: DisruptionBudgets("budgets", {"budgets": budgets, "namespaces": {"shop": "shop"}}), preview=preview
    )
    (budget,) = recorded.of("PodDisruptionBudget")
    assert budget.inputs["spec"]["minAvailable"] == 2
    assert budget.inputs["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": "till"}}
    assert recorded.outputs["budgets"] == {"names": ["till"]}


def test_simulator_runs_one_server_with_a_service_and_two_workers(engine: Engine, preview: bool) -> None:
    scraper = app_in("platform", "prometheus")
    recorded = engine(
        lambda: Simulator("sim", {"namespace": "job-queue", "image": "sim:1", "scraper": scraper}), preview=preview
    )
    replicas = {one.object_name: one.inputs["spec"]["replicas"] for one in recorded.of("Deployment")}
    assert replicas == {"jq-server": 1, "jq-worker": 2}
    assert [one.object_name for one in recorded.of("Service")] == ["jq-server"]
    roles = {
        one.object_name: {entry["name"]: entry["value"] for entry in one.pod["spec"]["containers"][0]["env"]}
        for one in recorded.pods
        if one.pod
    }
    assert {name: env["SIMULATOR_ROLE"] for name, env in roles.items()} == {
        "jq-server": "server",
        "jq-worker": "worker",
    }
    assert recorded.outputs["sim"] == {"url": "http://jq-server.job-queue.svc:8000"}


def test_alertmanager_keeps_a_configuration_secret_that_was_given_in_plain_text(engine: Engine, preview: bool) -> None:
    def program() -> None:
        Alertmanager(
            "alertmanager",
            {
                "namespace": "home",
                "image": "alertmanager:v1",
                "replicas": 1,
                "storage": "1Gi",
                "storage_class": None,
                "external_url": "http://localhost:9093",
                "group_interval": "5m",
                "files": {"alertmanager.yml": "route: {}"},
                "smtp_port": None,
                "prometheus": "prometheus",
            },
        )

    (secret,) = engine(program, preview=preview).of("Secret")
    assert secret.secret_inputs == {"stringData"}


def test_receiver_accepts_only_its_senders_and_has_a_volume(engine: Engine, preview: bool) -> None:
    senders = [app_in("platform", "alertmanager")]
    recorded = engine(
        lambda: Receiver("got", {"namespace": "r", "image": "sim:1", "senders": senders}), preview=preview
    )
    (policy,) = recorded.of("NetworkPolicy")
    (rule,) = policy.inputs["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}, {"protocol": "TCP", "port": 2525}]
    assert len(rule["from"]) == 1
    (pod,) = recorded.pods
    assert pod.pod
    assert pod.pod["metadata"]["labels"]["observability/notification-receiver"] == "true"
    assert pod.pod["spec"]["containers"][0]["args"] == ["simulator.receiver"]
    assert pod.pod["spec"]["volumes"] == [{"name": "data", "emptyDir": {"sizeLimit": "64Mi"}}]


def test_an_error_inside_an_output_fails_a_test(engine: Engine) -> None:
    def program() -> None:
        def refuse(_: str) -> str:
            raise ValueError("refused")

        Namespace("home", {"name": "house"}).namespace.apply(refuse)

    with pytest.raises(ValueError, match="refused"):
        engine(program)


def test_a_resource_error_fails_a_test(engine: Engine) -> None:
    def program() -> None:
        pulumi.Output.from_input("x").apply(lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        engine(program)
