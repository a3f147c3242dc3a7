"""Where pods run and what they reserve: for every workload of a stack."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from settings import stack
from settings.pod_settings import ON_EVERY_NODE, PARTS
from tests.mock_engine import SECRETS, Recorded, Registration, stack_config

SETTINGS = {
    "all": {
        "nodeSelector": {"pool": "platform"},
        "tolerations": [{"key": "platform", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClass": "platform-critical",
        "spread": "required",
    },
    "prometheus": {"cpu": "2", "nodeSelector": {"pool": "large"}},
    "otel-agent": {"cpu": "150m"},
}
CHANGES = {"podSettings": json.dumps(SETTINGS), "logIndex": "true"}


def templates(recorded: Recorded) -> Iterator[tuple[Registration, dict[str, Any]]]:
    """The workloads and Jobs of a stack, each with the spec of its pods."""
    for one in recorded.resources:
        if one.pod or one.kind == "Job":
            yield one, one.inputs["spec"]["template"]["spec"]


def test_every_workload_follows_the_settings(program: Callable[..., Recorded]) -> None:
    found = {one.name: (one, pod) for one, pod in templates(program("production", **CHANGES))}
    assert {"StatefulSet", "Deployment", "DaemonSet", "Job"} <= {one.kind for one, _ in found.values()}
    for name, (one, pod) in found.items():
        if one.kind == "DaemonSet":
            assert pod.get("nodeSelector") is None, name
            continue
        large = one.object_name == "prometheus"
        assert pod["nodeSelector"] == {"pool": "large" if large else "platform"}, name
        assert pod["tolerations"] == SETTINGS["all"]["tolerations"], name
        assert pod["priorityClassName"] == "platform-critical", name
        for spread in pod.get("topologySpreadConstraints", []):
            replicated = one.inputs["spec"]["replicas"] > 1
            assert spread["whenUnsatisfiable"] == ("DoNotSchedule" if replicated else "ScheduleAnyway"), name
            assert spread.get("nodeTaintsPolicy") == ("Honor" if replicated else None), name


def test_cpu_is_that_of_the_part(program: Callable[..., Recorded]) -> None:
    default, changed = (
        {one.object_name: pod["containers"][0]["resources"] for one, pod in templates(program("production", **changes))}
        for changes in ({"logIndex": "true"}, CHANGES)
    )
    for app, resources in changed.items():
        cpu = {"prometheus": "2", "otel-agent": "150m"}.get(app, default[app]["requests"]["cpu"])
        assert resources["requests"] == {**default[app]["requests"], "cpu": cpu}, app
        assert resources["limits"] == default[app]["limits"], app


def test_replicas_of_production_never_share_a_node_by_chance(program: Callable[..., Recorded]) -> None:
    for stack_name in ("staging", "production"):
        for one, pod in templates(program(stack_name)):
            if one.inputs["spec"].get("replicas", 1) > 1:
                rules = {spread["whenUnsatisfiable"] for spread in pod["topologySpreadConstraints"]}
                assert rules == {"DoNotSchedule"}, one.name


def test_every_part_is_a_workload(program: Callable[..., Recorded]) -> None:
    names = {one.object_name for one in program("production").pods} | {one.object_name for one in program("local").pods}
    assert {*PARTS} - {"all"} <= names


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"promtheus": {"cpu": "2"}}, ": "),
        ({"prometheus": {"cpu": "2 cores"}}, '.prometheus.cpu: "2 cores"'),
        ({"prometheus": {"cpus": "2"}}, '.prometheus.cpus: "2"'),
        ({"all": {"spread": "always"}}, '.all.spread: "always"'),
        ({ON_EVERY_NODE[0]: {"nodeSelector": {"pool": "x"}}}, ": "),
        ({"all": {"tolerations": [{"operator": "In"}]}}, '.all.tolerations[0].operator: "In"'),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(value: Any, place: str) -> None:
    with pytest.raises(stack.SettingsError) as error:
        stack.parse(stack_config("production") | SECRETS | {"podSettings": json.dumps(value)}, list(SECRETS))
    (problem,) = error.value.problems
    assert problem.startswith(f"observability:podSettings{place}")
    assert " is not allowed; allowed: an object: " in problem
