"""Checks of all rules together: names, systems, runbooks, labels that nobody bounds, and texts that fail later."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from alerting import slos, systems
from alerting.checks import result_labels, texts
from alerting.model import AnyRule, Engine, Rule, RuleFile, RuleSet
from alerting.problems import closest

RUNBOOKS = "runbooks"
"""Folder of the runbooks: one file <Alert>.md per alert."""


def problems(rule_set: RuleSet, folder: Path) -> Iterator[str]:
    """One line for each problem of the rules in `folder`."""
    yield from _duplicates(rule_set)
    yield from _alert_problems(rule_set, folder)
    yield from _unnamed_labels(rule_set)
    yield from _stopped_alerts(rule_set)
    yield from _texts(rule_set)


def labels_of_results(rule_set: RuleSet) -> Mapping[str, frozenset[str] | None]:
    """Alert on metrics -> labels that its series can have; None if they are not bounded."""
    recorded = result_labels.of_recordings(
        (rule.record, rule.expr, rule.labels or ()) for rule in rule_set.recordings()
    )
    rules = [rule for rule in rule_set.rules().values() if rule.engine == "prometheus"]
    return {rule.alert: result_labels.of(rule.expr, recorded) for rule in rules}


def _duplicates(rule_set: RuleSet) -> list[str]:
    """Names defined twice: of alerts in both engines, because overrides use the name; of the rest within one engine."""
    problems: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    named = [item for name, file in rule_set.files.items() for item in _names("prometheus", name, file)]
    named += [item for name, file in rule_set.loki_files.items() for item in _names("loki", name, file)]
    for engine, where, kind, item in named:
        scope = (kind if kind == "alert" else engine + kind, item)
        if scope in seen:
            problems.append(f"{where}: {kind} {item} is defined twice (first in {seen[scope]})")
        seen.setdefault(scope, where)
    return problems


def _names(engine: Engine, name: str, file: RuleFile[AnyRule]) -> Iterator[tuple[str, str, str, str]]:
    """(engine, file, "group", "alert" or "record", name) of everything that a file defines."""
    where = place(engine, name)
    for group in file.groups:
        yield engine, where, "group", group.name
    for rule in file.rules():
        if isinstance(rule, Rule):
            yield engine, where, "alert", rule.alert
        elif where.startswith("rules/prometheus/"):  # recording rules of SLOs share names and differ in their labels
            yield engine, where, "record", rule.record


def place(engine: Engine, name: str) -> str:
    """The source of a rule file that is rendered under this name, as messages name it."""
    return f"rules/slos/{name.removeprefix('slos-')}" if name.startswith("slos-") else f"rules/{engine}/{name}"


def _alert_problems(rule_set: RuleSet, folder: Path) -> Iterator[str]:
    """Alerts without a runbook, and alerts of systems without a file, which drills and Grafana's folders would miss."""
    known = systems.names(folder)
    places = [(place("prometheus", name), file.alerts()) for name, file in rule_set.files.items()]
    places += [(place("loki", name), file.alerts()) for name, file in rule_set.loki_files.items()]
    for where, alerts in places:
        for rule in alerts:
            if rule.labels.system not in known:
                yield (
                    f"{where}: alert {rule.alert}: no system {rule.labels.system!r}; "
                    f"{closest(rule.labels.system, known)}; a new one needs {systems.place(rule.labels.system)}"
                )
            if not (folder / RUNBOOKS / f"{rule.alert}.md").is_file():
                yield f"{where}: alert {rule.alert}: no runbook; write rules/{RUNBOOKS}/{rule.alert}.md"


def _unnamed_labels(rule_set: RuleSet) -> Iterator[str]:
    """Alerts whose result keeps whatever labels a program gives its series."""
    labels = labels_of_results(rule_set)
    for name, file in rule_set.files.items():
        for rule in file.alerts():
            if labels.get(rule.alert, frozenset()) is None:
                yield (
                    f"{place('prometheus', name)}: alert {rule.alert}: its result keeps labels that its expr does not "
                    "name, so a program could add one and make more alerts of one, or none; allowed: an aggregation "
                    "such as max by (namespace, app) (…)"
                )


def _stopped_alerts(rule_set: RuleSet) -> Iterator[str]:
    """SLOs that leave it to an alert to notice that nothing is counted, if their system has no such alert."""
    rules = rule_set.rules()
    for slo in rule_set.slos.values():
        name = slo.stopped_alert
        if name and (name not in rules or rules[name].labels.system != slo.system):
            own = sorted(alert for alert, rule in rules.items() if rule.labels.system == slo.system)
            yield (
                f"{slos.place(slo.system)}: {slo.name}.stopped_alert: no alert {name} in system {slo.system}; "
                f"{closest(name, own)}"
            )


def _texts(rule_set: RuleSet) -> Iterator[str]:
    """Texts that fail when their alert fires."""
    labels = labels_of_results(rule_set)
    places = [(place("prometheus", name), file.alerts()) for name, file in rule_set.files.items()]
    places += [(place("loki", name), file.alerts()) for name, file in rule_set.loki_files.items()]
    for where, alerts in places:
        for rule in alerts:
            for name in ("summary", "description"):
                for problem in texts.problems(getattr(rule.annotations, name), labels.get(rule.alert)):
                    yield f"{where}: alert {rule.alert}: {name}: {problem}"
