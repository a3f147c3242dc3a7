# ruff: noqa: E501  (a case of a table stays on its line)
"""What the loader refuses, in which words, and what overrides change."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from rules import expressions, loader, logql
from rules.durations import seconds
from rules.model import AlertOverride, Links
from rules.problems import RulesError
from tests.mock_engine import ROOT

LINKS = Links(runbook_base_url="https://runbooks.test/", dashboard_base_url="https://grafana.test")
Refused = Callable[[str, str, str], tuple[str, ...]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """`refused(file, old, new)` edits a copy of the rules and gives the loader's problems."""

    def run(file: str, old: str, new: str) -> tuple[str, ...]:
        shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1))
        with pytest.raises(RulesError) as error:
            loader.load(tmp_path)
        return error.value.problems

    return run


JOB_QUEUE = "prometheus/job-queue.yaml"
SPECCURSOR = "loki/speccursor.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (JOB_QUEUE, "0 * count by", "0 * count bye", "rules/prometheus/job-queue.yaml: groups[0].rules[0].expr: is no valid PromQL: "),
        (JOB_QUEUE, "alert: JobQueueDepthHigh", "alert: JobQueueNoWorkers", "rules/prometheus/job-queue.yaml: alert JobQueueNoWorkers is defined twice (first in rules/prometheus/job-queue.yaml)"),
        ("prometheus/platform.yaml", "alert: TargetDown", "alert: JobQueueDepthHigh", "rules/prometheus/platform.yaml: alert JobQueueDepthHigh is defined twice (first in rules/prometheus/job-queue.yaml)"),
        (JOB_QUEUE, "severity: critical, ", "", "rules/prometheus/job-queue.yaml: groups[0].rules[0].labels.severity: required, but missing"),
        (JOB_QUEUE, "severity: critical", "severity: fatal", "rules/prometheus/job-queue.yaml: groups[0].rules[0].labels.severity: must be 'info', 'warning' or 'critical'; got 'fatal'"),
        (JOB_QUEUE, 'page: "true"', "page: true", "rules/prometheus/job-queue.yaml: groups[0].rules[0].labels.page: must be 'true' or 'false'; got True"),
        (JOB_QUEUE, "for: 1m", "for: soon", "rules/prometheus/job-queue.yaml: groups[0].rules[0].for: must be a Prometheus duration such as 30s, 5m, 1h30m or 15d; got 'soon'"),
        (JOB_QUEUE, "for: 1m", "four: 1m", "rules/prometheus/job-queue.yaml: groups[0].rules[0].four: unknown field; got '1m'"),
        (JOB_QUEUE, "{{ $value }} (or", "(or", "rules/prometheus/job-queue.yaml: groups[0].rules[0].annotations.description: must contain the value ({{ $value }}); got "),
        (JOB_QUEUE, "dashboard_url: /d/", "dashboard_url: https://elsewhere/", "rules/prometheus/job-queue.yaml: groups[0].rules[0].annotations.dashboard_url: "),
        (JOB_QUEUE, "groups:", "groups: [", "rules/prometheus/job-queue.yaml: no valid YAML: "),
        (JOB_QUEUE, "expr: max by (namespace, app, queue) (jq_queue_depth{status=\"PENDING\"}) > 1000", "expr: jq_queue_depth[5m]", "rules/prometheus/job-queue.yaml: groups[0].rules[1].expr: must be an instant vector, not a range vector (alert JobQueueDepthHigh); got "),
        (JOB_QUEUE, "expr: max by (namespace, app, queue) (jq", "expr: limitk(1, jq", "rules/prometheus/job-queue.yaml: groups[0].rules[1].expr: uses limitk, which Prometheus runs only with --enable-feature=promql-experimental-functions; it is not set here (alert JobQueueDepthHigh); got "),
        ("prometheus/platform.yaml", "expr: vector(1)", "expr: '1'", "rules/prometheus/platform.yaml: groups[0].rules[0].expr: must be an instant vector, not a scalar (alert Watchdog); got '1'"),
        (JOB_QUEUE, "in queue {{ $labels.queue }}", "in queue {{ $labels.queue", "rules/prometheus/job-queue.yaml: groups[0].rules[1].annotations: alert JobQueueDepthHigh: summary is no valid template: unclosed {{"),
        (JOB_QUEUE, "$value | humanizePercentage", "$value | humanisePercentage", "rules/prometheus/job-queue.yaml: groups[0].rules[3].annotations: alert JobQueueFailureRateHigh: description is no valid template: unknown function humanisePercentage"),
        (JOB_QUEUE, "team: job-queue", "team: '{{ $labels.team'", "rules/prometheus/job-queue.yaml: groups[0].rules[0].labels.team: "),
        (JOB_QUEUE, "> 1000", "> 1001", "rules/systems/job-queue.yaml: thresholds.JobQueueDepthHigh.pending_jobs: 1000 must stand exactly once in its expr, not 0 times"),
        (JOB_QUEUE, "> 1000", "> 1000 + 1000", "rules/systems/job-queue.yaml: thresholds.JobQueueDepthHigh.pending_jobs: 1000 must stand exactly once in its expr, not 2 times"),
        (SPECCURSOR, "/ 5 > 10", "/ 5 >", "rules/loki/speccursor.yaml: groups[0].rules[0].expr: is no valid LogQL: 'the end' at character "),
        (SPECCURSOR, "count_over_time({namespace", "increase({namespace", "rules/loki/speccursor.yaml: groups[0].rules[0].expr: is no valid LogQL: 'increase' at character "),
        (SPECCURSOR, "alert: SpecCursorErrorLogBurst", "alert: TargetDown", "rules/loki/speccursor.yaml: alert TargetDown is defined twice (first in rules/prometheus/platform.yaml)"),
        (SPECCURSOR, "name: speccursor-log-baseline", "name: speccursor-logs", "rules/loki/speccursor.yaml: group speccursor-logs is defined twice (first in rules/loki/speccursor.yaml)"),
        (SPECCURSOR, "logs many errors", "logs errors, see {{ $externalURL }}", "rules/loki/speccursor.yaml: groups[0].rules[0].annotations: alert SpecCursorErrorLogBurst: summary is no valid template: unknown variable $externalURL: Loki's ruler has none"),
        (SPECCURSOR, "/ 5 > 10", "/ 5 > 11", "rules/systems/speccursor.yaml: thresholds.SpecCursorErrorLogBurst.lines_per_minute: 10 must stand exactly once in its expr, not 0 times"),
        ("systems/job-queue.yaml", "JobQueueDepthHigh:\n", "JobQueueDeepHigh:\n", "rules/systems/job-queue.yaml: thresholds.JobQueueDeepHigh: no such alert; did you mean JobQueueDepthHigh?"),
        ("systems/job-queue.yaml", "pending_jobs: 1000", "pending_jobs: many", "rules/systems/job-queue.yaml: thresholds.JobQueueDepthHigh.pending_jobs: must be a valid number; got 'many'"),
        ("systems/job-queue.yaml", "times_hourly_mean: 3", "times_hourly_mean: 0.1", "rules/systems/job-queue.yaml: thresholds.JobQueueKafkaPublishErrorsSpiking: two thresholds have the same default"),
        (JOB_QUEUE, "- alert: JobQueueDepthHigh", "- alert: JobQueueDepthHigh\n        record: a:b:c", "rules/prometheus/job-queue.yaml: groups[0].rules[1].alert: unknown field; got 'JobQueueDepthHigh'"),
        (JOB_QUEUE, "    rules:\n", "    rules:\n      - {record: depth, expr: sum(jq_queue_depth)}\n", "rules/prometheus/job-queue.yaml: groups[0].rules[0].record: must be level:metric:operation, each of small letters, digits and `_`; got 'depth'"),
        (JOB_QUEUE, "    rules:\n", "    rules:\n      - {record: queue:jobs:sum, expr: sum(jq_queue_depth))}\n", "rules/prometheus/job-queue.yaml: groups[0].rules[0].expr: is no valid PromQL: "),
        (JOB_QUEUE, "    rules:\n", "    rules:\n      - {record: queue:jobs:sum, expr: '1'}\n", "rules/prometheus/job-queue.yaml: groups[0].rules[0].expr: must be an instant vector, not a scalar (record queue:jobs:sum); got '1'"),
        (JOB_QUEUE, "    rules:\n", "    rules:\n      - {record: queue:jobs:sum, expr: up, labels: {Bad-Name: x}}\n", "rules/prometheus/job-queue.yaml: groups[0].rules[0].labels.Bad-Name"),
        (JOB_QUEUE, "    rules:\n", "    rules:\n      - {record: queue:jobs:sum, expr: up}\n      - {record: queue:jobs:sum, expr: up}\n", "rules/prometheus/job-queue.yaml: record queue:jobs:sum is defined twice (first in rules/prometheus/job-queue.yaml)"),
        (SPECCURSOR, "    rules:\n", "    rules:\n      - {record: queue:jobs:sum, expr: up}\n", "rules/loki/speccursor.yaml: groups[0].rules[0].record: unknown field; got 'queue:jobs:sum'"),
        (JOB_QUEUE, "severity: critical, ", "severity: critical, severity: info, ", "rules/prometheus/job-queue.yaml: no valid YAML: key 'severity' stands twice"),
        (JOB_QUEUE, "system: job-queue", "system: jobqueue", "rules/prometheus/job-queue.yaml: alert JobQueueNoWorkers: no system 'jobqueue'; did you mean job-queue?; a new one needs rules/systems/jobqueue.yaml"),
        (SPECCURSOR, "system: speccursor", "system: till", "rules/loki/speccursor.yaml: alert SpecCursorErrorLogBurst: no system 'till'; known: api, job-queue, media-clustering, media-upload, platform, speccursor; a new one needs rules/systems/till.yaml"),
    ],
)  # fmt: skip
def test_refuses(refused: Refused, file: str, old: str, new: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in refused(file, old, new))


def test_reports_problems_of_several_files_at_once(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    broken: dict[str, int] = {}
    for name in ("prometheus/job-queue", "prometheus/platform", "loki/speccursor"):
        file = tmp_path / f"{name}.yaml"
        broken[f"rules/{name}.yaml"] = file.read_text().count("for: 5m\n")
        file.write_text(file.read_text().replace("for: 5m\n", "for: soon\n"))
    with pytest.raises(RulesError) as error:
        loader.load(tmp_path)
    assert Counter(problem.split(":")[0] for problem in error.value.problems) == broken


def test_an_alert_without_a_runbook_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    for alert in ("JobQueueDepthHigh", "SpecCursorErrorLogBurst", "MediaGatewayLatencyMetricsMissing"):
        (tmp_path / f"runbooks/{alert}.md").unlink()
    with pytest.raises(RulesError) as error:
        loader.load(tmp_path)
    assert error.value.problems == (
        "rules/prometheus/job-queue.yaml: alert JobQueueDepthHigh: no runbook; write rules/runbooks/JobQueueDepthHigh.md",
        "rules/slos/media-upload.yaml: alert MediaGatewayLatencyMetricsMissing: no runbook; write "
        "rules/runbooks/MediaGatewayLatencyMetricsMissing.md",
        "rules/loki/speccursor.yaml: alert SpecCursorErrorLogBurst: no runbook; write "
        "rules/runbooks/SpecCursorErrorLogBurst.md",
    )


def test_links_are_completed() -> None:
    rule = _rendered({})["TargetDown"]
    assert rule["annotations"]["runbook_url"] == "https://runbooks.test/TargetDown.md"
    assert rule["annotations"]["dashboard_url"] == "https://grafana.test/d/platform-alerting"


def test_override_changes_what_it_names_and_nothing_else() -> None:
    change = {
        "JobQueueKafkaPublishErrorsSpiking": {
            "for": "10s",
            "severity": "critical",
            "page": True,
            "thresholds": {"times_hourly_mean": 4.5, "errors_per_second": 3},
        }
    }
    before, after = _rendered({}), _rendered(change)
    name = "JobQueueKafkaPublishErrorsSpiking"
    assert after[name]["for"] == "10s"
    assert after[name]["labels"] == before[name]["labels"] | {"severity": "critical", "page": "true"}
    # 3 was the other threshold's default: both are replaced at once, none twice.
    assert after[name]["expr"] == before[name]["expr"].replace("> 3 *", "> 4.5 *").replace("> 0.1", "> 3")
    assert after[name]["annotations"] == before[name]["annotations"]
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }


def test_each_rule_knows_who_evaluates_it() -> None:
    rules = loader.load().rules()
    assert {name for name, rule in rules.items() if rule.engine == "loki"} == {
        "SpecCursorErrorLogBurst",
        "SpecCursorErrorLogAnomalous",
    }
    assert rules["TargetDown"].engine == "prometheus"


def test_overrides_and_links_reach_the_alerts_on_logs() -> None:
    rule_set = loader.load()
    name = "SpecCursorErrorLogBurst"
    changes = loader.overrides({name: {"for": "10s", "page": True, "thresholds": {"lines_per_minute": 25}}}, rule_set)
    (group, _) = yaml.safe_load(loader.render_loki(rule_set, changes, LINKS)["speccursor.yaml"])["groups"]
    (rule,) = group["rules"]
    assert rule["expr"] == rule_set.rules()[name].expr.replace("> 10", "> 25")
    assert (rule["for"], rule["labels"]["page"]) == ("10s", "true")
    assert rule["annotations"]["runbook_url"] == f"https://runbooks.test/{name}.md"
    assert rule["annotations"]["dashboard_url"] == "https://grafana.test/d/speccursor-system"


def test_disabled_alerts_and_their_empty_groups_are_left_out() -> None:
    rule_set = loader.load()
    names = [rule.alert for rule in rule_set.files["platform.yaml"].alerts()]
    changes = loader.overrides({name: {"enabled": False} for name in names}, rule_set)
    assert yaml.safe_load(loader.render(rule_set, changes, LINKS)["platform.yaml"]) == {"groups": []}
    changes = loader.overrides({"SpecCursorErrorLogAnomalous": {"enabled": False}}, rule_set)
    groups = yaml.safe_load(loader.render_loki(rule_set, changes, LINKS)["speccursor.yaml"])["groups"]
    assert [group["name"] for group in groups] == ["speccursor-logs"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"TargetDwn": {}}, "TargetDwn: no such alert; did you mean TargetDown?"),
        ({"TargetDown": {"thresholds": {"seconds": 1}}}, "TargetDown.thresholds.seconds: no such threshold; known: (none)"),
        ({"JobQueueDepthHigh": {"thresholds": {"jobs": 1}}}, "JobQueueDepthHigh.thresholds.jobs: no such threshold; known: pending_jobs"),
        ({"JobQueueDepthHigh": {"thresholds": {"pending_jobs": "9"}}}, "JobQueueDepthHigh.thresholds.pending_jobs: '9': must be a valid number"),
        ({"JobQueueDepthHigh": {"thresholds": {"pending_jobs": -1}}}, "JobQueueDepthHigh.thresholds.pending_jobs: -1: must be greater than or equal to 0"),
        ({"JobQueueDepthHigh": {"thresholds": {"pending_jobs": True}}}, "JobQueueDepthHigh.thresholds.pending_jobs: True: must be a valid number"),
        ({"TargetDown": {"for": 30}}, "TargetDown.for: 30: must be a valid string"),
        ({"TargetDown": {"for": "half an hour"}}, "TargetDown.for: 'half an hour': must be a Prometheus duration such as 30s, 5m, 1h30m or 15d"),
        ({"TargetDown": {"page": "true"}}, "TargetDown.page: 'true': must be a valid boolean"),
        ({"TargetDown": {"severty": "info"}}, "TargetDown.severty: 'info': unknown field; did you mean severity?"),
        ({"TargetDown": None}, "TargetDown: None: must be an object"),
    ],
)  # fmt: skip
def test_refuses_overrides(change: dict[str, object], problem: str) -> None:
    with pytest.raises(RulesError) as error:
        loader.overrides(change, loader.load())
    assert error.value.problems == (problem,)


def test_recording_rules_are_rendered_but_are_no_alerts(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    file = tmp_path / JOB_QUEUE
    record = {"record": "queue:jobs:sum", "expr": "sum by (queue) (jq_queue_depth)", "labels": {"source": "jq"}}
    file.write_text(file.read_text().replace("    rules:\n", f"    rules:\n      - {json.dumps(record)}\n", 1))
    rule_set = loader.load(tmp_path)
    assert rule_set.rules() == loader.load().rules()
    assert [rule.record for rule in rule_set.recordings()].count("queue:jobs:sum") == 1
    group = yaml.safe_load(loader.render(rule_set, {}, LINKS)["job-queue.yaml"])["groups"][0]
    assert group["rules"][0] == record


def _named_thresholds() -> list[tuple[str, str]]:
    return [(alert, name) for alert, named in loader.load().thresholds.items() for name in named]


@given(
    which=st.sampled_from(_named_thresholds()),
    value=st.one_of(st.integers(0, 10**18).map(float), st.floats(0, 1e300, allow_nan=False)),
)
def test_any_threshold_is_put_in_and_stays_valid(which: tuple[str, str], value: float) -> None:
    alert, name = which
    rule_set = loader.load()
    default, rule = rule_set.thresholds[alert][name], rule_set.rules()[alert]
    changed = loader.effective(rule, rule_set.thresholds[alert], AlertOverride(thresholds={name: value})).expr
    assert (logql if rule.engine == "loki" else expressions).problem(changed) is None
    assert expressions.occurrences(changed, value) >= 1
    # Putting the default back gives the file's own text, unless the new value was there before.
    if expressions.occurrences(rule.expr, value) == 0:
        assert expressions.substitute(changed, {value: default}) == expressions.substitute(
            rule.expr, {default: default}
        )


@given(text=st.text(alphabet="0123456789.e+-axb_:[]{}()\"'#\\ \nsmhd>=", max_size=40), value=st.floats(0, 1e6))
def test_substituting_never_touches_more_than_numbers(text: str, value: float) -> None:
    assume(not re.search(r"\.[0-9.]*\.", text))  # two numbers side by side, which no expression has
    count = expressions.occurrences(text, value)
    changed = expressions.substitute(text, {value: value})
    assert expressions.occurrences(changed, value) == count
    if count == 0:
        assert changed == text


@pytest.mark.parametrize(
    "expression",
    [
        'a{b="5"} > 5',
        "rate(a[5m]) > 5",
        "a5 > 5",
        "a:5m > 5",
        "# 5\na > 5",
        "a offset 5m > 5",
        "a{b='\\'5'} > 5.0",
        "a > 5e0",
    ],
)
def test_only_the_number_itself_counts(expression: str) -> None:
    assert expressions.occurrences(expression, 5) == 1
    assert expressions.substitute(expression, {5: 7}).endswith("> 7")


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("0s", 0), ("15d", 1296000), ("1h30m", 5400), ("500ms", 0.5)])
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5 m", "m5", "-5m", "5m1h", "1.5h", "fifteen days", "5M"])
def test_refuses_durations(text: str) -> None:
    with pytest.raises(ValueError, match="must be a Prometheus duration"):
        seconds(text)


def _rendered(changes: dict[str, object]) -> dict[str, dict[str, dict[str, str]]]:
    rule_set = loader.load()
    files = loader.render(rule_set, loader.overrides(changes, rule_set), LINKS)
    return {
        rule["alert"]: rule
        for text in files.values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
