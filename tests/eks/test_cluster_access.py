"""Waiting for a new cluster: over real HTTP what it answers, and how often it is asked."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.eks import cluster_access
from tests.mock_engine import Recorded
from tools.http_server import Handler, serving

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "hush"}}],
            "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "one",
        }
    )


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"status": {"allowed": True}}, None),
        (201, {"status": {"allowed": False}}, "the login may not do everything in the cluster"),
        (401, {"kind": "Status"}, "HTTP 401 Unauthorized"),
    ],
)
def test_what_a_server_answers(status: int, body: dict[str, Any], expected: str | None) -> None:
    asked: list[dict[str, Any]] = []

    class ApiServer(Handler):
        def respond(self) -> None:
            assert self.path == REVIEWS
            asked.append(json.loads(self.body()))
            self.answer(status, json.dumps({"spec": {}, **body}).encode())

    with serving(ApiServer) as url:
        assert cluster_access.refusal(kubeconfig(url)) == expected
    assert asked[0]["spec"]["resourceAttributes"] == {"group": "*", "resource": "*", "verb": "*"}


def test_no_way_to_the_server() -> None:
    assert "Connection refused" in str(cluster_access.refusal(kubeconfig("https://127.0.0.1:1")))


def waits(*answers: str | None) -> tuple[list[float], str | None]:
    """The pauses between these answers, and the error."""
    pauses: list[float] = []
    left = list(answers)

    async def ask() -> str | None:
        return left.pop(0) if len(left) > 1 else left[0]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    try:
        asyncio.run(cluster_access.wait(ask, sleep))
    except pulumi.RunError as error:
        return pauses, str(error)
    return pauses, None


def test_it_asks_until_the_entry_is_known() -> None:
    assert waits(None) == ([], None)
    assert waits("HTTP 401 Unauthorized", "HTTP 401 Unauthorized", None) == ([5, 5], None)


def test_it_gives_up_with_what_the_server_said_last() -> None:
    pauses, error = waits("timed out", "HTTP 401 Unauthorized")
    assert sum(pauses) == 300
    assert str(error).startswith("The new cluster does not accept this machine and its login: HTTP 401 Unauthorized. ")
    for key in ("clusterApiCidrs", "clusterApiSecurityGroupIds", "clusterPublicAccessCidrs", "clusterAdminRoleArns"):
        assert key in str(error)


@pytest.mark.parametrize("preview", [False, True])
def test_a_preview_does_not_wait(
    engine: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cluster_access, "refusal", asked.append)

    def program() -> None:
        pulumi.export("proved", pulumi.Output.from_input("{}").apply(cluster_access.proved))

    assert engine(program, preview=preview).exports["proved"] == "{}"
    assert asked == ([] if preview else ["{}"])
