"""Which alerts a change concerns: they are replayed, and all others are taken from the server's own history."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from alerting import durations, missing_metrics
from alerting.files import write_yaml
from alerting.model import RecordingRule
from ops.replay.deployed import Deployed

NO_LOGS = "is an alert on log lines; allowed: --loki with the URL of the stack's Loki"


_Groups = list[tuple[str, dict[str, Any]]]
"""Groups of rules, each with the name of its file."""


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """One alerting rule as a commit deploys it."""

    place: tuple[str, str]
    """File and group."""
    interval: str
    """Of its group; a duration."""
    rule: Mapping[str, Any]

    @property
    def expression(self) -> str:
        """Its PromQL."""
        return self.rule["expr"]

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that the rule sets; its series have more."""
        return self.rule.get("labels", {})

    @property
    def dashboard(self) -> str:
        """URL of the dashboard that its notification links to; empty if there is none."""
        return self.rule.get("annotations", {}).get("dashboard_url", "")

    @property
    def decides(self) -> tuple[object, ...]:
        """Everything that decides when the alert fires, and with which labels. Annotations notify nobody."""
        return (self.place, self.interval, {key: value for key, value in self.rule.items() if key != "annotations"})


@dataclass(frozen=True)
class Rules:
    """The rules of Prometheus and Loki that one commit deploys."""

    commit: Deployed

    @cached_property
    def _groups(self) -> _Groups:
        return [(file, group) for file, text in self.commit.rule_files.items() for group in _groups(text)]

    @cached_property
    def _log_groups(self) -> _Groups:
        return [(file, group) for file, text in self.commit.log_rule_files.items() for group in _groups(text)]

    @cached_property
    def alerts(self) -> dict[str, AlertRule]:
        """Its alerting rules of Prometheus by name."""
        return self._alerts(self._groups)

    @cached_property
    def log_alerts(self) -> dict[str, AlertRule]:
        """Its alerts on log lines by name, which Loki evaluates."""
        return self._alerts(self._log_groups)

    @cached_property
    def all_alerts(self) -> dict[str, AlertRule]:
        """Both by name."""
        return self.alerts | self.log_alerts

    def _alerts(self, groups: _Groups) -> dict[str, AlertRule]:
        return {
            rule["alert"]: AlertRule(
                place=(file, group["name"]), interval=group.get("interval", self.commit.interval), rule=rule
            )
            for file, group in groups
            for rule in group["rules"]
            if "alert" in rule
        }

    @cached_property
    def _recordings(self) -> list[tuple[str, RecordingRule]]:
        """Each recording rule, with its interval."""
        return [
            (
                group.get("interval", self.commit.interval),
                RecordingRule.model_construct(record=rule["record"], expr=rule["expr"], labels=rule.get("labels")),
            )
            for _, group in self._groups
            for rule in group["rules"]
            if "record" in rule
        ]

    @cached_property
    def recorded(self) -> dict[tuple[object, ...], str]:
        """Interval, name, expression and labels of each recording rule -> the name of its series."""
        return {_decides(*one): one[1].record for one in self._recordings}

    def read_by(self, name: str) -> dict[tuple[object, ...], str]:
        """The part of `recorded` that an alert reads, directly or through other recorded series."""
        rules = [rule for _, rule in self._recordings]
        seen: set[int] = set()
        waiting = [self.alerts[name].expression]
        while waiting:
            new = set(missing_metrics.read_from(waiting.pop(), rules)) - seen
            seen |= new
            waiting += [rules[index].expr for index in new]
        return {_decides(*self._recordings[index]): rules[index].record for index in sorted(seen)}

    def recorded_anew(self, base: "Rules") -> frozenset[str]:
        """Names of the series that `base` does not record, or records otherwise, directly or through others."""
        anew = {record for key, record in self.recorded.items() if key not in base.recorded}
        rules = [rule for _, rule in self._recordings]
        while more := {
            rule.record for rule in rules if rule.record not in anew and anew & set(missing_metrics.names(rule.expr))
        }:
            anew |= more
        return frozenset(anew)

    def metrics(self, name: str, anew: Collection[str]) -> list[str]:
        """Names of the metrics that an alert reads; series that are recorded `anew` are replaced by what they read."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [self.alerts[name].expression]
        while waiting:
            for metric in missing_metrics.names(waiting.pop(0)):
                if metric not in anew:
                    found[metric] = None
                elif metric not in seen:
                    seen.add(metric)
                    waiting += [rule.expr for _, rule in self._recordings if rule.record == metric]
        return list(found)

    def only(self, alerts: Collection[str], records: Collection[str]) -> dict[str, str]:
        """The files of Prometheus with only these alerts and recorded series; files without any are left out."""
        return _only(self._groups, alerts, records)

    def only_logs(self, alerts: Collection[str]) -> dict[str, str]:
        """The files of Loki with only these alerts; files without any are left out."""
        return _only(self._log_groups, alerts, ())


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The alerts that two commits deploy differently."""

    replayed: frozenset[str]
    """Added, removed and changed alerts."""
    log_alerts: frozenset[str]
    """Alerts on log lines that both commits have alike. They are replayed, too: Loki keeps no history of alerts."""


def between(base: Rules, head: Rules) -> Changed:
    """The alerts that differ, also because of a recorded series that they read."""
    differing: set[str] = set()
    for name in sorted(base.alerts.keys() | head.alerts.keys()):
        old, new = ((side.alerts.get(name), side) for side in (base, head))
        reads = [side.read_by(name) if rule else {} for rule, side in (old, new)]
        if (old[0] and old[0].decides) == (new[0] and new[0].decides) and reads[0] == reads[1]:
            continue
        differing.add(name)
    logs = base.log_alerts.keys() | head.log_alerts.keys()
    old_logs, new_logs = ({name: rule.decides for name, rule in side.log_alerts.items()} for side in (base, head))
    alike = {name for name in logs if old_logs.get(name) == new_logs.get(name)}
    return Changed(replayed=frozenset(differing | (logs - alike)), log_alerts=frozenset(alike))


def intervals(sides: Sequence[Rules]) -> dict[str, int]:
    """Milliseconds between two evaluations of each alert; the first commit that has it decides."""
    found = {name: rule.interval for side in reversed(sides) for name, rule in side.alerts.items()}
    return {name: round(durations.seconds(interval) * 1000) for name, interval in found.items()}


def _decides(interval: str, rule: RecordingRule) -> tuple[object, ...]:
    return (interval, rule.record, rule.expr, tuple(sorted((rule.labels or {}).items())))


def _only(groups: _Groups, alerts: Collection[str], records: Collection[str]) -> dict[str, str]:
    result: dict[str, list[dict[str, Any]]] = {}
    for file, group in groups:
        if kept := [rule for rule in group["rules"] if rule.get("alert") in alerts or rule.get("record") in records]:
            result.setdefault(file, []).append({**group, "rules": kept})
    return {file: write_yaml({"groups": parts}) for file, parts in result.items()}


def _groups(text: str) -> list[dict[str, Any]]:
    return yaml.safe_load(text)["groups"]
