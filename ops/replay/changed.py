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

_NO_LOGS = "is an alert on log lines, which this command does not read"


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
    """The rules of Prometheus that one commit deploys."""

    commit: Deployed

    @cached_property
    def _groups(self) -> list[tuple[str, dict[str, Any]]]:
        """Each group with the name of its file."""
        return [(file, group) for file, text in self.commit.rule_files.items() for group in _groups(text)]

    @cached_property
    def alerts(self) -> dict[str, AlertRule]:
        """Its alerting rules by name."""
        return {
            rule["alert"]: AlertRule(
                place=(file, group["name"]), interval=group.get("interval", self.commit.interval), rule=rule
            )
            for file, group in self._groups
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

    def only(self, alerts: Collection[str]) -> dict[str, str]:
        """The rule files with only these alerts, in their groups; files without any are left out."""
        result: dict[str, list[dict[str, Any]]] = {}
        for file, group in self._groups:
            if kept := [rule for rule in group["rules"] if rule.get("alert") in alerts]:
                result.setdefault(file, []).append({**group, "rules": kept})
        return {file: write_yaml({"groups": groups}) for file, groups in result.items()}

    @property
    def log_alerts(self) -> set[str]:
        """Names of the alerts on log lines, which Loki evaluates."""
        files = self.commit.log_rule_files.values()
        return {
            rule["alert"] for text in files for group in _groups(text) for rule in group["rules"] if "alert" in rule
        }


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The alerts that two commits deploy differently."""

    replayed: frozenset[str]
    """Added, removed and changed alerts whose data the server has."""
    left_out: Mapping[str, str]
    """Alerts that cannot be replayed, with the reason; log alerts are among them, changed or not."""


def between(base: Rules, head: Rules) -> Changed:
    """The alerts that differ. The server is taken to have what the base records, and not what only the head does."""
    differing: set[str] = set()
    left_out: dict[str, str] = {}
    for name in sorted(base.alerts.keys() | head.alerts.keys()):
        old, new = ((side.alerts.get(name), side) for side in (base, head))
        reads = [side.read_by(name) if rule else {} for rule, side in (old, new)]
        if (old[0] and old[0].decides) == (new[0] and new[0].decides) and reads[0] == reads[1]:
            continue
        differing.add(name)
        if missing := sorted({series for key, series in reads[1].items() if key not in base.recorded}):
            left_out[name] = f"reads {', '.join(missing)}, which {head.commit.name} records differently"
    left_out |= dict.fromkeys(sorted(base.log_alerts | head.log_alerts), _NO_LOGS)
    return Changed(replayed=frozenset(differing - left_out.keys()), left_out=left_out)


def intervals(sides: Sequence[Rules]) -> dict[str, int]:
    """Milliseconds between two evaluations of each alert; the first commit that has it decides."""
    found = {name: rule.interval for side in reversed(sides) for name, rule in side.alerts.items()}
    return {name: round(durations.seconds(interval) * 1000) for name, interval in found.items()}


def _decides(interval: str, rule: RecordingRule) -> tuple[object, ...]:
    return (interval, rule.record, rule.expr, tuple(sorted((rule.labels or {}).items())))


def _groups(text: str) -> list[dict[str, Any]]:
    return yaml.safe_load(text)["groups"]
