"""The Job's script puts pipeline and template into a real OpenSearch, and reports conflicts clearly."""

from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from components.logs.log_index import NAME
from tests.backends.opensearch import OpenSearchNode
from tests.log_index.conftest import Apply
from tools.http_server import Handler, serving

pytestmark = pytest.mark.xdist_group("opensearch")


def get(url: str) -> Any:
    return httpx.get(url, timeout=60).json()


def test_pipeline_and_template_are_created_and_a_second_run_succeeds(empty: OpenSearchNode, apply: Apply) -> None:
    for _ in range(2):
        done = apply(empty.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "log index: pipeline and template observability-logs are in place\n"
    template = httpx.post(f"{empty.url}/_index_template/_simulate_index/{NAME}-2026.11.21", timeout=60).json()[
        "template"
    ]
    fields = template["mappings"]["properties"]
    assert {fields[name]["type"] for name in ("request_id", "service", "project_id")} == {"keyword"}
    assert fields["timestamp"]["type"] == "date"
    assert template["mappings"]["dynamic"] == "false"
    assert int(template["settings"]["index"]["mapping"]["total_fields"]["limit"]) < 50
    slow = {kind: template["settings"]["index"][kind]["slowlog"] for kind in ("search", "indexing")}
    assert slow["search"] == {"threshold": {"query": {"warn": "10s"}, "fetch": {"warn": "1s"}}}
    # The log has another retention than the lines, so it shows none.
    assert slow["indexing"] == {"threshold": {"index": {"warn": "10s"}}, "source": "false"}


def test_an_index_with_another_mapping_is_named_and_nothing_changes(empty: OpenSearchNode, apply: Apply) -> None:
    wrong = {"request_id": {"type": "text"}, "service": {"type": "keyword"}, "timestamp": {"type": "keyword"}}
    for day in ("2026.11.20", "2026.11.21"):
        answer = httpx.put(f"{empty.url}/{NAME}-{day}", json={"mappings": {"properties": wrong}}, timeout=60)
        answer.raise_for_status()
    done = apply(empty.url)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "log index: nothing more was changed."
    assert [line.split("; ")[0] for line in lines[1:]] == [
        f"index {NAME}-{day} is there already, with another mapping: {field}"
        for day in ("2026.11.20", "2026.11.21")
        for field in ("timestamp as keyword, where date is needed", "request_id as text, where keyword is needed")
    ]
    assert "reindex it under a name that does not begin with observability-logs-, or delete it" in lines[1]
    assert get(f"{empty.url}/_ingest/pipeline/{NAME}") == {}


def test_a_foreign_template_with_a_higher_priority_is_an_error(empty: OpenSearchNode, apply: Apply) -> None:
    theirs = {
        "index_patterns": ["observability-*"],
        "priority": 900,
        "template": {"mappings": {"properties": {"request_id": {"type": "text"}}}},
    }
    httpx.put(f"{empty.url}/_index_template/theirs", json=theirs, timeout=60).raise_for_status()
    done = apply(empty.url)
    assert done.returncode == 1
    assert "a stronger index template of yours would make request_id as text, where keyword is needed" in done.stderr
    assert "give it a lower priority than 500" in done.stderr


def test_a_foreign_template_with_the_same_priority_is_reported_with_opensearchs_message(
    empty: OpenSearchNode, apply: Apply
) -> None:
    theirs = {"index_patterns": ["observability-*"], "priority": 500, "template": {}}
    httpx.put(f"{empty.url}/_index_template/theirs", json=theirs, timeout=60).raise_for_status()
    done = apply(empty.url)
    assert done.returncode == 1
    assert "theirs" in done.stderr
    assert "priority" in done.stderr


def stand_in(status: int) -> AbstractContextManager[str]:
    """A server that answers every request with this status. It replaces an OpenSearch that has a security plugin."""

    class Prepared(Handler):
        def respond(self) -> None:
            self.answer(status)

    return serving(Prepared)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_end_the_script_without_retries(apply: Apply, status: int) -> None:
    with stand_in(status) as url:
        done = apply(url, OPENSEARCH_USERNAME="logs", OPENSEARCH_PASSWORD="hush-password")
    assert done.returncode == 1
    assert f"{url} does not take the login: GET /: {status}" in done.stderr
    assert "check opensearchUsername and the secret opensearchPassword" in done.stderr
    assert "hush" not in done.stderr


def test_a_server_that_does_not_answer_is_named(apply: Apply) -> None:
    with stand_in(200) as url:
        pass
    done = apply(url, WAIT_SECONDS="0")
    assert done.returncode == 1
    assert f"{url} does not answer" in done.stderr
    assert "check opensearchUrl and who may reach it" in done.stderr
