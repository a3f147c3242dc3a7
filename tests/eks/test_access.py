"""The kubeconfig for an EKS cluster: it holds a command and no token."""

import json
from dataclasses import replace

import pytest

from settings import stack
from settings.eks import access
from tests.mock_engine import SECRETS, stack_config


def parse(**changes: str) -> stack.Settings:
    return stack.parse(stack_config("staging") | SECRETS | changes, list(SECRETS))


def test_asks_the_cli_for_a_token_each_time() -> None:
    document = json.loads(access.kubeconfig(parse(awsProfile="staging").values, "https://eks", "UEVN"))
    (cluster,), (user,) = document["clusters"], document["users"]
    assert cluster["cluster"] == {"server": "https://eks", "certificate-authority-data": "UEVN"}
    assert user["user"]["exec"] == {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": [
            *("eks", "get-token", "--region", "eu-central-1"),
            *("--cluster-name", "observability-staging", "--output", "json"),
        ],
        "env": [{"name": "AWS_PROFILE", "value": "staging"}],
        "interactiveMode": "Never",
        "provideClusterInfo": False,
    }
    assert list(user["user"]) == ["exec"]


def test_without_a_profile_the_environment_decides() -> None:
    assert "env" not in json.loads(access.kubeconfig(parse().values, "https://eks", ""))["users"][0]["user"]["exec"]
    assert access.login_command(parse().values) == (
        "aws eks update-kubeconfig --name observability-staging --region eu-central-1"
    )


def test_no_cluster_is_asked_before_it_is_made() -> None:
    made = parse()
    assert made.facts
    before = replace(made, facts=replace(made.facts, cluster=None))
    assert made.has_cluster
    assert not before.has_cluster
    assert before.kubeconfig is None
    assert not parse(offlinePreview="true").has_cluster


@pytest.mark.parametrize(("key", "value", "expected"), [("kubeContext", "mine", None), ("kubeconfig", "/k", "/k")])
def test_a_kubeconfig_that_is_given_is_taken(key: str, value: str, expected: str | None) -> None:
    assert parse(**{key: value}).kubeconfig == expected
