"""The Job's script installs index policies in OpenSearch, for new and for existing indices, or says why it cannot.

The real node of the tests has no plugin for policies. `Policies` answers as the plugin's documentation says (page
"ISM API").
"""

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from components.opensearch.retention import APP
from settings import stack as settings
from settings.sizes import opensearch_hours
from tests.backends.opensearch import OpenSearchNode
from tests.log_index.conftest import Apply
from tests.mock_engine import SECRETS, Recorded, stack_config
from tools.http_server import Handler, serving

AGES = {"observability-jaeger": "192h", "observability-logs": "744h"}
SPANS, LINES = "observability-jaeger-span-2026-11-21", "observability-logs-2026.11.21"
POLICY_ID = "index.plugins.index_state_management.policy_id"


class Policies:
    """An OpenSearch with policies: the indices, the policy of each, and the installed policies."""

    def __init__(self, **indices: str | None) -> None:
        self.indices: dict[str, dict[str, Any] | None] = {
            index: None if name is None else {"id": name, "document": "old"} for index, name in indices.items()
        }
        self.installed: dict[str, dict[str, Any]] = {}
        self.changes = 0
        self.broken: set[str] = set()
        """Indices that take no policy."""

    def respond(self, method: str, path: str, query: str, body: Any) -> tuple[int, Any]:
        if path == "/":
            return 200, {}
        if found := re.fullmatch(r"/_cat/indices/([\w-]+)-\*", path):
            return 200, [{"index": index} for index in self.indices if index.startswith(found[1])]
        if path == "/_plugins/_ism/policies":
            return 200, {"policies": []}
        if found := re.fullmatch(r"/_plugins/_ism/policies/([\w-]+)", path):
            return self._policy(method, found[1], query, body)
        if found := re.fullmatch(r"/_plugins/_ism/explain/([\w-]+)-\*", path):
            owned = {index: policy for index, policy in self.indices.items() if index.startswith(found[1])}
            explained = {index: {POLICY_ID: policy and policy["id"]} for index, policy in owned.items()}
            return 200, {**explained, "total_managed_indices": len(owned)}
        found = re.fullmatch(r"/_plugins/_ism/(add|change_policy)/(.+)", path)
        assert found, path
        return 200, self._assigned(found[1], found[2].split(","), body["policy_id"])

    def _policy(self, method: str, name: str, query: str, body: Any) -> tuple[int, Any]:
        existing = self.installed.get(name)
        if method == "GET":
            return (200, existing) if existing else (404, {"error": {"reason": "Policy not found"}, "status": 404})
        number = existing["_seq_no"] if existing else None
        if query != (f"if_seq_no={number}&if_primary_term=1" if existing else ""):
            return 409, {"error": {"reason": "version conflict"}}
        self.changes += 1
        self.installed[name] = {"_seq_no": self.changes, "_primary_term": 1, **body}
        return 201, self.installed[name]

    def _assigned(self, action: str, indices: list[str], name: str) -> Any:
        failed = {index for index in indices if index in self.broken or (action == "add") == bool(self.indices[index])}
        for index in {*indices} - failed:
            self.indices[index] = {"id": name, "document": self.installed[name]["policy"]}
        return {
            "updated_indices": len(indices) - len(failed),
            "failures": bool(failed),
            "failed_indices": [{"index_name": one, "reason": "This index is closed"} for one in sorted(failed)],
        }

    @contextmanager
    def serve(self) -> Generator[str]:
        policies = self

        class Answers(Handler):
            def respond(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.body()
                status, answer = policies.respond(self.command, path, query, json.loads(body) if body else None)
                self.answer(status, json.dumps(answer).encode())

        with serving(Answers) as url:
            yield url


def deletes_after(policy: Any) -> str:
    """Age at which an index with this policy is deleted."""
    states = {state["name"]: state for state in policy["states"]}
    (transition,) = states[policy["default_state"]]["transitions"]
    assert states[policy["default_state"]]["actions"] == []
    assert states[transition["state_name"]] == {
        "name": transition["state_name"],
        "actions": [{"delete": {}}],
        "transitions": [],
    }
    return transition["conditions"]["min_index_age"]


def test_new_and_existing_indices_are_deleted_at_their_age(apply: Apply) -> None:
    policies = Policies(**{SPANS: None, LINES: None})
    with policies.serve() as url:
        done = apply(url, INDEX_AGES=json.dumps(AGES))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "index policies: observability-jaeger 192h, observability-logs 744h are in place\n"
    for name, index in zip(AGES, (SPANS, LINES), strict=True):
        policy = policies.installed[name]["policy"]
        assert policy["ism_template"] == [{"index_patterns": [f"{name}-*"], "priority": 100}]
        assert deletes_after(policy) == AGES[name]
        assert policies.indices[index] == {"id": name, "document": policy}


def test_a_changed_age_reaches_indices_that_have_the_policy(apply: Apply) -> None:
    policies = Policies(**{SPANS: None})
    with policies.serve() as url:
        for age in ("192h", "48h"):
            assert apply(url, INDEX_AGES=json.dumps({"observability-jaeger": age})).returncode == 0
    index = policies.indices[SPANS]
    assert index
    assert deletes_after(index["document"]) == "48h"


def test_an_index_with_another_policy_is_named_and_nothing_changes(apply: Apply) -> None:
    policies = Policies(**{SPANS: None, LINES: "theirs"})
    with policies.serve() as url:
        done = apply(url, INDEX_AGES=json.dumps(AGES))
    assert done.returncode == 1
    assert f"index {LINES} has the policy theirs already; remove that policy" in done.stderr
    assert "opensearchPolicies to false" in done.stderr
    assert (policies.installed, policies.indices[SPANS]) == ({}, None)


def test_an_index_that_takes_no_policy_is_named_with_opensearchs_reason(apply: Apply) -> None:
    policies = Policies(**{SPANS: None})
    policies.broken = {SPANS}
    with policies.serve() as url:
        done = apply(url, INDEX_AGES=json.dumps(AGES))
    assert done.returncode == 1
    assert f"index {SPANS} does not get the policy observability-jaeger: This index is closed" in done.stderr


@pytest.mark.xdist_group("opensearch")
def test_an_opensearch_without_policies_is_named(empty: OpenSearchNode, apply: Apply) -> None:
    done = apply(empty.url, INDEX_AGES=json.dumps(AGES))
    assert done.returncode == 1
    assert "index policies are not available: GET /_plugins/_ism/policies" in done.stderr
    assert "set opensearchPolicies to false" in done.stderr


def ages(recorded: Recorded) -> dict[str, str] | None:
    """The ages that the stack's Job installs; None without a Job."""
    jobs = [one for one in recorded.of("Job") if one.object_name == APP]
    if not jobs:
        return None
    (container,) = jobs[0].inputs["spec"]["template"]["spec"]["containers"]
    return json.loads(next(one["value"] for one in container["env"] if one["name"] == "INDEX_AGES"))


OWN = {"opensearchUrl": "https://search.example.com", "opensearchUsername": "logs", "opensearchPassword": "hush"}


@pytest.mark.parametrize(
    ("stack", "changes", "wanted"),
    [
        ("production", {}, {"observability-jaeger": "192h"}),
        ("production", {"jaegerRetention": "1w2d", "logIndex": "true"}, AGES | {"observability-jaeger": "240h"}),
        ("local", {"logIndex": "true", "logIndexRetention": "90m"} | OWN, {"observability-logs": "26h"}),
        ("local", {"logIndex": "true", "opensearchPolicies": "false"} | OWN, None),
        ("local", {}, None),
    ],
)
def test_every_index_of_a_stack_has_a_retention(
    program: Callable[..., Recorded], stack: str, changes: dict[str, str], wanted: dict[str, str] | None
) -> None:
    assert ages(program(stack, **changes)) == wanted


@pytest.mark.parametrize(("retention", "hours"), [("1h", 25), ("61m", 26), ("7d", 192)])
def test_all_of_a_day_is_kept_for_the_retention(retention: str, hours: int) -> None:
    assert opensearch_hours(retention) == hours


def test_a_retention_that_is_too_short_is_refused() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS | {"logIndexRetention": "59m"}, list(SECRETS))
    wanted = '"59m" is not allowed; allowed: a Prometheus duration of at least 1h, such as 30d'
    assert error.value.problems == (f"observability:logIndexRetention: {wanted}",)
