"""Finds proofs that each alert, route, inhibition and mute window works, in the data of the tests.

Pure except for `collect`, which returns plain data, so that a test can remove a part of it.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from alerting import loader, routing
from alerting.durations import seconds
from alerting.files import ROOT, read_yaml
from alerting.missing_metrics import names
from alerting.model import LogRule, RecordingRule, Rule
from alerting.routing.model import Routing, matches
from ops.drills.deployed import ALWAYS_FIRES
from ops.drills.faults import REAL
from simulator.systems import api, job_queue, media_clustering, media_upload_faults, series_files, speccursor
from tools.rule_tests import muting_cases, route_cases

LABELS = {"severity", "system", "team", "page", "subject"}
"""Labels that a test of exact labels must have; promtool compares all labels of an alert."""


class ProofKind(StrEnum):
    """A property of an alert that must be proved."""

    FIRES = "fires"
    BEFORE = "silent before for"
    NEAR_MISS = "near miss"
    RESOLVES = "resolves"
    LABELS = "exact labels"
    ROUTE = "route"
    FAULT = "fault"
    RUNBOOK = "runbook"


WANTED = {
    ProofKind.FIRES: "a check with exp_alerts in tests/rules/*.test.yaml (tests/rules/loki for log rules)",
    ProofKind.BEFORE: "an empty check at most `for` before the first one with exp_alerts, in the same scenario",
    ProofKind.NEAR_MISS: "a scenario with series of a metric that the alert reads, which checks it but expects none",
    ProofKind.RESOLVES: "an empty check after one with exp_alerts, in the same scenario",
    ProofKind.LABELS: f"exp_labels with {', '.join(sorted(LABELS))}",
    ProofKind.ROUTE: "a case {alert, receivers} in tests/rules/routes.yaml or tests/rules/routes/*.yaml",
    ProofKind.FAULT: "a fault of the same name in simulator/, simulator/series/*.yaml or ops/drills/platform_faults.py",
    ProofKind.RUNBOOK: "a page rules/runbooks/<alert>.md",
}
EXEMPT = {
    # It always fires, so it is never silent, nearly firing or resolved. A drill proves it by its heartbeats.
    ALWAYS_FIRES: {ProofKind.BEFORE, ProofKind.NEAR_MISS, ProofKind.RESOLVES, ProofKind.FAULT},
}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One test of a test file."""

    where: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """All data that proofs are read from."""

    rules: Mapping[str, Rule]
    recordings: Sequence[RecordingRule]
    routing: Routing
    scenarios: Sequence[Scenario]
    routes: Sequence[Mapping[str, Any]]
    muting: Sequence[Mapping[str, Any]]
    faults: Sequence[str]
    runbooks: Sequence[str]


Proofs = dict[str, dict[ProofKind, list[str]]]
"""Alert -> kind of proof -> places of the proofs."""


def collect(root: Path = ROOT) -> Sources:
    """The rules, tests, faults and runbooks of this checkout."""
    rule_set = loader.load(root / "rules")
    tests = root / "tests/rules"
    files = sorted([*tests.glob("*.test.yaml"), *(tests / "loki").glob("*.test.yaml")])
    programs = (api, job_queue, media_upload_faults, speccursor, media_clustering)
    simulated = [fault.alert for program in programs for fault in program.FAULTS if fault.alert]
    simulated += [fault.alert for fault in series_files.load(root / "simulator/series").faults]
    return Sources(
        rules=rule_set.rules(),
        recordings=rule_set.recordings(),
        routing=routing.load(root / "rules"),
        scenarios=[
            Scenario(where=f"{file.relative_to(root)}: {scenario.get('name')}", data=scenario)
            for file in files
            for scenario in cast(dict[str, Any], read_yaml(file, file.name))["tests"]
        ],
        routes=route_cases.load(tests),
        muting=muting_cases.written(tests),
        faults=[*simulated, *REAL],
        runbooks=[file.stem for file in sorted((root / "rules/runbooks").glob("*.md"))],
    )


def proofs(sources: Sources) -> Proofs:
    """The proofs of every alert."""
    found: Proofs = {alert: {kind: [] for kind in ProofKind} for alert in sources.rules}
    for scenario in sources.scenarios:
        for alert, checks in _checks(scenario).items():
            if rule := sources.rules.get(alert):
                for kind in _kinds(sources, rule, scenario, checks):
                    found[alert][kind].append(scenario.where)
    for case in sources.routes:
        if case.get("alert") in found and case.get("receivers"):
            found[case["alert"]][ProofKind.ROUTE].append("tests/rules/routes.yaml")
    for kind, alerts in ((ProofKind.FAULT, sources.faults), (ProofKind.RUNBOOK, sources.runbooks)):
        for alert in alerts:
            if alert in found:
                found[alert][kind].append(alert)
    return found


def gaps(sources: Sources) -> list[str]:
    """The missing proofs, one line each; empty if there are none."""
    return [
        *(
            f"{alert}: {kind}: no {WANTED[kind].removeprefix('a ').removeprefix('an ')}"
            for alert, kinds in proofs(sources).items()
            for kind, where in kinds.items()
            if not where and kind not in EXEMPT.get(alert, ())
        ),
        *_route_gaps(sources),
        *_muting_gaps(sources),
    ]


def counts(sources: Sources) -> dict[str, dict[str, int]]:
    """Number of tests by subject and kind, for the ledger, which shows when a test is removed."""
    found: dict[str, dict[str, int]] = {alert: {} for alert in sources.rules}

    def add(about: str, what: str) -> None:
        one = found.setdefault(about, {})
        one[what] = one.get(what, 0) + 1

    for scenario in sources.scenarios:
        for alert, checks in _checks(scenario).items():
            add(alert, "scenarios")
            for _, expected in checks:
                add(alert, "firing" if expected else "silent")
    for case in sources.routes:
        add(case.get("alert") or "routes without an alert", "routes")
    for case in sources.muting:
        add(_muting_subject(case), "muted" if case.get("muted") else "notified")
    for alert in sources.faults:
        add(alert, "faults")
    return found


def _checks(scenario: Scenario) -> dict[str, list[tuple[float, list[Mapping[str, Any]]]]]:
    """Maps alerts to (seconds, expected alerts) of each check, sorted by time."""
    found: dict[str, list[tuple[float, list[Mapping[str, Any]]]]] = {}
    for check in scenario.data.get("alert_rule_test") or []:
        at = seconds(str(check["eval_time"]))
        found.setdefault(check["alertname"], []).append((at, check.get("exp_alerts") or []))
    return {alert: sorted(checks, key=lambda check: check[0]) for alert, checks in found.items()}


def _kinds(
    sources: Sources, rule: Rule, scenario: Scenario, checks: list[tuple[float, list[Mapping[str, Any]]]]
) -> Iterator[ProofKind]:
    """The kinds of proof that one scenario provides for an alert."""
    firing = [at for at, expected in checks if expected]
    silent = [at for at, expected in checks if not expected]
    if not firing:
        lines = isinstance(rule, LogRule) and scenario.data.get("input_lines")
        if lines or _reads(sources, rule) & _inputs(scenario):
            yield ProofKind.NEAR_MISS
        return
    yield ProofKind.FIRES
    pending = seconds(rule.for_)
    if any(0 < firing[0] - at <= (pending or firing[0]) for at in silent):
        yield ProofKind.BEFORE
    if any(at > firing[0] for at in silent):
        yield ProofKind.RESOLVES
    if any(set(one.get("exp_labels") or ()) >= LABELS for _, expected in checks for one in expected):
        yield ProofKind.LABELS


def _reads(sources: Sources, rule: Rule) -> frozenset[str]:
    """Every metric that an alert reads, directly or through recording rules."""
    found: set[str] = set()
    waiting = list(_names(rule.expr))
    while waiting:
        metric = waiting.pop()
        if metric not in found:
            found.add(metric)
            waiting += [name for one in sources.recordings if one.record == metric for name in _names(one.expr)]
    return frozenset(found)


@functools.cache
def _names(expression: str) -> tuple[str, ...]:
    return tuple(names(expression))


def _inputs(scenario: Scenario) -> set[str]:
    return {str(one["series"]).partition("{")[0].strip() for one in scenario.data.get("input_series") or []}


def _labels(sources: Sources, case: Mapping[str, Any]) -> dict[str, str]:
    if alert := case.get("alert"):
        rule = sources.rules.get(alert)
        return rule.alert_labels if rule else {"alertname": alert}
    return dict(case.get("labels") or {})


def _route_gaps(sources: Sources) -> Iterator[str]:
    cases = [_labels(sources, case) for case in sources.routes]
    named = {name for case in sources.routes for name in case.get("receivers") or ()}
    for name in sources.routing.channels:
        if name not in named:
            yield f"channel {name}: no case in tests/rules/routes.yaml expects it"
    taken: dict[int, list[dict[str, str]]] = {}
    for labels in cases:
        route = next((n for n, one in enumerate(sources.routing.routes) if matches(one.match, labels)), -1)
        taken.setdefault(route, []).append(labels)
    if -1 not in taken:
        yield "default channel: no case in tests/rules/routes.yaml matches no route"
    for number, route in enumerate(sources.routing.routes):
        if number not in taken:
            yield f"route {dict(route.match)}: no case in tests/rules/routes.yaml takes it"
        for part in route.also:
            if not any(matches(part.match, labels) for labels in taken.get(number, [])):
                yield f"route {dict(route.match)}, also {dict(part.match)}: no case in tests/rules/routes.yaml takes it"


def _muting_gaps(sources: Sources) -> Iterator[str]:
    for kind, known in (("inhibition", sources.routing.inhibitions), ("mute_window", sources.routing.mute_windows)):
        for name in known:
            cases = [case for case in sources.muting if case.get(kind) == name]
            for muted in (True, False):
                if not any(case.get("muted") is muted for case in cases):
                    yield f"{kind} {name}: no case in tests/rules/muting.yaml with muted: {str(muted).lower()}"


def _muting_subject(case: Mapping[str, Any]) -> str:
    return f"inhibition {case['inhibition']}" if "inhibition" in case else f"mute window {case.get('mute_window')}"
