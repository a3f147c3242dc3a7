"""Dashboards of a system offer its own namespaces only: a pod elsewhere that exposes its metrics is not in them."""

import json
import re
from typing import Any

import pytest

from alerting import expressions, systems
from alerting.files import RULES
from dashboards import files
from settings.apps import DATA_SOURCES

SYSTEMS = systems.load(RULES)[0]
FOUND = [one for one in files.load(DATA_SOURCES) if SYSTEMS[one.system].namespaces]


def test_there_are_such_dashboards() -> None:
    assert len(FOUND) > 8


@pytest.mark.parametrize("one", FOUND, ids=lambda one: one.uid)
def test_the_namespaces_offered_are_those_of_the_system(one: files.DashboardFile) -> None:
    document: dict[str, Any] = json.loads(one.text)
    variables = [item for item in document["templating"]["list"] if item["name"] == "namespace"]
    for variable in variables:
        query = variable["query"]["query"]
        # Which pods there are is said by Kubernetes, not by a program.
        if "kube_" not in query:
            assert f'namespace=~"{"|".join(SYSTEMS[one.system].namespaces)}"' in query
        assert not variable.get("allValue"), "All would mean every namespace"


@pytest.mark.parametrize("one", FOUND, ids=lambda one: one.uid)
def test_every_query_of_metrics_is_of_the_chosen_namespaces(one: files.DashboardFile) -> None:
    texts = re.findall(r'"expr": "((?:[^"\\]|\\.)*)"', one.text)
    assert texts
    for text in (json.loads(f'"{text}"') for text in texts):
        if "$namespace" not in text:
            assert {selector.name for selector in expressions.selectors(_filled(text))} <= _trusted(text), text


def _filled(text: str) -> str:
    return re.sub(r"\$\w+", "5m", text)


def _trusted(text: str) -> set[str]:
    """Names in a query that come from rules and the platform only: tests/backends/test_scraping.py."""
    return {*re.findall(r"\b(?:ALERTS|slo:[\w:]+|node_\w+)", text)}
