"""The data of the bench of rules: the scenarios' series in many pods."""

import pytest

from tools.bench_rules import TARGETS, committed, multiplied, row, samples, scenario_series

JOBS = 'jobs_total{namespace="a",pod="p"}'
DEPTH = 'depth{queue="q",node="n"}'
ALONE = 'depth{queue="q"}'


def test_each_copy_is_another_pod_or_node_and_what_has_neither_stays_alone() -> None:
    found = multiplied([JOBS, DEPTH, ALONE], 7)
    assert found[3:] == [
        'jobs_total{namespace="a",pod="c1-p"}',
        'depth{queue="q",node="c1-n"}',
        'jobs_total{namespace="a",pod="c2-p"}',
        'depth{queue="q",node="c2-n"}',
    ]


def test_targets_are_fewer_than_series() -> None:
    found = multiplied(['up{pod="p"}', JOBS], 4 * TARGETS)
    assert len(found) == len(set(found)) == 4 * TARGETS
    assert sum(one.startswith("up{") for one in found) == TARGETS


def test_counters_grow_and_gauges_do_not() -> None:
    *lines, end = samples([JOBS, DEPTH], 100_000)
    assert [line.split()[1] for line in lines[0].splitlines()[:3]] == ["0", "1", "2"]
    assert {line.split()[1] for line in lines[1].splitlines()} == {"1"}
    assert {line.split()[0] for line in lines[1].splitlines()} == {DEPTH}
    assert lines[0].splitlines()[-1].split()[2] == "100000"
    assert end == "# EOF\n"


def test_scenarios_have_series_of_every_system() -> None:
    names = {one.partition("{")[0] for one in scenario_series()}
    assert {"jq_queue_depth", "request_count", "media_uploads_total", "up", "otelcol_exporter_queue_size"} <= names
    assert not any('", ' in one for one in scenario_series()), "OpenMetrics has no blanks between labels"


def test_a_group_that_one_commit_lacks_has_no_ratio() -> None:
    assert row("a", 2.0, 3.0).split() == ["a", "2.0", "3.0", "1.50"]
    assert row("a", None, 3.0).split() == ["a", "-", "3.0", "-"]


def test_an_unknown_commit_is_named() -> None:
    with pytest.raises(SystemExit, match="no-such-commit"):
        committed("no-such-commit")
