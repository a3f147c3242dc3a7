"""The commands `cost` and `preview-summary`, and the declared workload that they read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.capacity import workload
from ops.errors import OpsError
from settings import stack_files
from tests.ops.capacity.cases import work
from tests.ops.conftest import Done
from tests.ops.stand_in import StandIn, result


def test_two_stacks_are_compared_as_text_markdown_and_json(ops: Callable[..., Done], tmp_path: Path) -> None:
    files = [tmp_path / "cost.md", tmp_path / "cost.json"]

    written = ("--markdown", str(files[0]), "--json", str(files[1]))

    done = ops("cost", "--stack", "production", "--versus", "staging", *written)

    assert done.returncode == 0, done.stderr
    for text in (
        "production: at least $",
        "Volumes of Prometheus",
        "Capacity of the settings",
        "list prices in US dollars",
    ):
        assert text in done.stdout
    assert "| **Sum** |" in files[0].read_text()
    document = json.loads(files[1].read_text())
    assert document["difference_usd"] > 0
    lines = document["after"]["lines"]
    assert {line["price"]["source"][:8] for line in lines if line["price"]} == {"https://"}
    assert all(line["price"]["date"] for line in lines if line["price"])
    # Without a source there is the quantity alone.
    unknown = [line for line in lines if line["price"] is None]
    assert unknown
    assert all(line["quantity"] > 0 and line["unit"] and not line["monthly_usd"] for line in unknown)
    assert "2026-08-26 https://pricing" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "--stack", "moon"], "unknown environment 'moon'"),
        (["cost", "--versus", "local", "--base", "HEAD"], "allowed: one of the two"),
        (["cost", "--base", "no-such-commit"], "no commit 'no-such-commit'"),
        (["cost", "--markdown", "/no/such/folder/x.md"], "/no/such/folder/x.md: cannot be written"),
        (["preview-summary", "--base", "no-such-commit"], "no commit 'no-such-commit'"),
        (["preview-summary", "--base", "HEAD", "--preview", "/no/such/file"], "/no/such/file: cannot be read"),
    ],
)
def test_wrong_arguments_are_one_clear_error(ops: Callable[..., Done], arguments: list[str], message: str) -> None:
    done = ops(*arguments)

    assert done.returncode != 0
    assert message in done.stderr


def test_every_stack_has_a_declared_workload() -> None:
    for stack in stack_files.names():
        assert workload.load(stack).series.value > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environments: {}", "environments.staging: missing; declare it; declared are: none"),
        ("environments: {staging: {series: {value: 1}}}", "environments.staging: series.reason: required"),
        ("environments: {staging: {serie: 1}}", "environments.staging: serie: unknown field"),
    ],
)
def test_a_wrong_workload_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "workload.yaml"
    file.write_text(text)
    with pytest.raises(OpsError) as error:
        workload.load("staging", file)
    assert message in str(error.value)


def test_measured_numbers_replace_declared_ones() -> None:
    stand_in = StandIn()
    stand_in.answers["/api/v1/query"] = result("vector", {"metric": {}, "value": [0, "1200"]})
    try:
        found = workload.measured(work(), stand_in.url)
    finally:
        stand_in.close()

    assert found.series.value == 1200
    assert found.series.reason == "measured, mean of the last hour"
    assert found.traces_per_second.value == 100  # of 12 spans each
    assert found.nodes == work().nodes


def test_a_prometheus_without_its_own_metrics_is_an_error() -> None:
    stand_in = StandIn()
    stand_in.answers["/api/v1/query"] = result("vector")
    try:
        with pytest.raises(OpsError, match="prometheus_tsdb_head_series"):
            workload.measured(work(), stand_in.url)
    finally:
        stand_in.close()
