"""Faults may be on at the same time only if they do not disturb each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from alerting.routing import notified
from alerting.routing.render import configuration
from ops.drills import lanes
from ops.drills.deployed import content
from ops.drills.faults import REAL
from ops.drills.lanes import GONE, Order, lane
from ops.drills.plan import from_files
from ops.drills.stages import Run, Stage
from ops.environment import LOCAL, load
from tests.ops.drills.drill_stack import WAITS, plan


def run(alert: str, *, severity: str = "warning", subject: str = "", system: str = "job-queue", **more: object) -> Run:
    labels = {"alertname": alert, "severity": severity, "subject": subject or alert}
    return Run(plan=plan(alert, system=system, labels=labels, **more))  # type: ignore[arg-type]


def begun(
    runs: list[Run],
    *,
    alone: Collection[str] = (),
    serial: bool = False,
    inhibitions: Sequence[Mapping[str, Any]] = (),
) -> list[list[str]]:
    """Alerts by the round in which their faults begin. Every alert is delivered and resolved within one round."""
    work = Order(runs, alone=alone, serial=serial, inhibitions=inhibitions)
    rounds: list[list[str]] = []
    while not all(one.ended for one in runs):
        firing = [one for one in runs if one.stage is Stage.FIRING]
        started: list[str] = []
        for one in lanes.ordered(runs):
            if one.waiting and work.may_begin(one):
                one.stage = Stage.FIRING
                started.append(one.plan.alert)
        assert started or firing, "the waiting faults would never begin"
        for one in firing:
            one.stage = Stage.DONE
        if started:
            rounds.append(started)
    return rounds


def test_faults_that_do_not_disturb_each_other_are_on_together() -> None:
    assert begun([run("A"), run("B"), run("C", system="api")]) == [["A", "B", "C"]]


def test_the_warning_comes_before_the_critical_one_that_mutes_it() -> None:
    runs = [run("Critical", severity="critical", subject="depth"), run("Warning", subject="depth"), run("Other")]
    assert begun(runs) == [["Warning", "Other"], ["Critical"]]


def test_a_cause_and_the_symptom_that_it_mutes_are_not_on_together() -> None:
    """The one that resolves sooner comes first, whatever mutes which, and all others begin at once."""
    rule = {"source_matchers": ['alertname="Cause"'], "target_matchers": ['alertname="Symptom"'], "equal": ["system"]}
    for windows, expected in (({"Symptom": 300.0}, "Cause"), ({"Cause": 300.0}, "Symptom")):
        runs = [run(name, window=windows.get(name, 0.0)) for name in ("Symptom", "Cause", "Other")]
        first, second = begun(runs, inhibitions=[rule])
        assert (set(first), set(second)) == ({expected, "Other"}, {"Symptom", "Cause"} - {expected})


def test_every_alert_of_the_platform_begins_and_none_while_another_mutes_it() -> None:
    files = content(load(LOCAL))
    plans = from_files(files, load(LOCAL), [name for name in files.rules if files.enabled(name)])
    inhibitions = configuration(files.routing)["inhibit_rules"]
    rounds = begun([Run(plan=one) for one in plans], alone=REAL, inhibitions=inhibitions)
    assert sorted(name for names in rounds for name in names) == sorted(plan.alert for plan in plans)
    labels = {plan.alert: plan.labels for plan in plans}
    together = [
        (source, target)
        for names in rounds
        for source, target in permutations(names, 2)
        if any(notified.mutes(rule, labels[source], labels[target], from_rules=True) for rule in inhibitions)
    ]
    assert [pair for pair in together if not {*pair} & {*REAL}] == []


def test_faults_of_one_subject_in_two_systems_are_on_together() -> None:
    runs = [run("A", subject="errors"), run("B", subject="errors", system="api")]
    assert begun(runs) == [["A", "B"]]


def test_faults_of_the_platform_are_on_one_by_one_after_the_others() -> None:
    runs = [run("TargetDown", system="platform"), run("GrafanaDown", system="platform"), run("A"), run("B")]
    assert begun(runs, alone=REAL) == [["A", "B"], ["TargetDown"], ["GrafanaDown"]]


def test_a_program_is_scaled_to_zero_after_the_other_alerts_of_its_system() -> None:
    """Its faults end with it, and nobody can switch one on until it is back."""
    runs = [run(alert, severity="critical", system=system) for alert, system in GONE.items()]
    slow = run("MediaClusterJobsStalled", system="media-clustering", waits=replace(WAITS, rise=600.0))
    rounds = begun([*runs, slow, run("SpecCursorOperationSlow", system="speccursor"), run("A")], alone=REAL)
    assert rounds[0] == ["SpecCursorOperationSlow", "A", "MediaClusterJobsStalled"]
    assert sorted(alert for one in rounds[1:] for alert in one) == sorted(GONE)
    assert all(len(one) == 1 for one in rounds[1:])


def test_a_fault_may_begin_while_the_alert_before_resolves() -> None:
    down, other = run("TargetDown", system="platform"), run("A")
    work = Order([down, other], alone=REAL)
    for stage, allowed in ((Stage.FIRING, False), (Stage.RESOLVING, True), (Stage.FAILED, True)):
        down.stage = stage
        assert work.may_begin(other) is allowed, stage


def test_a_fault_that_takes_ten_minutes_delays_no_other() -> None:
    slow = Run(plan=plan("A", waits=WAITS.__class__(**{**vars(WAITS), "rise": 600.0})))
    slow.stage = Stage.FIRING
    down = run("TargetDown", system="platform")
    assert Order([slow, down], alone=REAL).may_begin(down)
    slow.plan = plan("A")
    assert not Order([slow, down], alone=REAL).may_begin(down)


def test_refused_notifications_come_before_everything_else() -> None:
    runs = [run("A"), run(lanes.FIRST, system="platform"), run("TargetDown", system="platform")]
    assert begun(runs, alone=REAL) == [[lanes.FIRST], ["A"], ["TargetDown"]]


def test_refused_notifications_that_cannot_begin_yet_delay_no_other_fault() -> None:
    first, other = run(lanes.FIRST, system="platform"), run("A")
    first.stage = Stage.QUIET
    assert Order([first, other], alone=REAL).may_begin(other)
    other.stage = Stage.FIRING
    assert not Order([first, other], alone=REAL).may_begin(first)


def test_faults_that_hide_metrics_come_after_the_alerts_that_read_them() -> None:
    runs = [
        run("MediaUploadAvailabilityMetricsMissing", system="media-upload"),
        run("AlertsOnMissingMetrics", severity="warning", system="platform"),
        run("MediaUploadSlow", system="media-upload"),
        run("JobQueueRedisErrors"),
        run("SpecCursorOperationSlow", system="speccursor"),
    ]
    rounds = begun(runs)
    assert set(rounds[0]) == {"MediaUploadSlow", "JobQueueRedisErrors", "SpecCursorOperationSlow"}
    assert rounds[1:] == [["AlertsOnMissingMetrics"], ["MediaUploadAvailabilityMetricsMissing"]]


def test_loki_goes_down_after_the_alerts_that_it_evaluates() -> None:
    logs = run("SpecCursorErrorLogBurst", engine="loki", system="speccursor")
    down = run("LokiIngestionStopped", system="platform")
    logs.stage = Stage.RESOLVING
    work = Order([logs, down], alone=REAL)
    assert not work.may_begin(down)
    logs.stage = Stage.DONE
    assert work.may_begin(down)


def test_serial_faults_begin_one_by_one() -> None:
    assert begun([run("A"), run("B"), run("C")], serial=True) == [["A"], ["B"], ["C"]]


def test_the_fault_of_every_alert_begins() -> None:
    files = content(None)
    labels = {name: rule.labels.model_dump(exclude_none=True) for name, rule in files.rules.items()}
    runs = [
        Run(plan=plan(name, engine=files.rules[name].engine, system=labels[name]["system"], labels=labels[name]))
        for name in files.rules
        if name != "Watchdog"
    ]
    rounds = begun(runs, alone=REAL)

    assert {alert for group in rounds for alert in group} == {one.plan.alert for one in runs}
    where = {alert: number for number, group in enumerate(rounds) for alert in group}
    assert len(rounds[1]) > len(runs) / 2, "most faults must be on at once"
    same_lane = [(one, two) for one in runs for two in runs if one is not two and lane(one) == lane(two)]
    assert all(where[one.plan.alert] != where[two.plan.alert] for one, two in same_lane)
