"""The rules, routes and systems of this checkout as a stack deploys them, and the alerts that a drill can select."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from alerting import loader, routing
from alerting.model import AlertOverride, Rule, RuleSet
from alerting.problems import RulesError
from alerting.routing.tree import HEARTBEAT
from ops.clients.signals import seconds
from ops.drills import wait_times
from ops.environment import Environment
from ops.errors import OpsError, UsageError

ALWAYS_FIRES = HEARTBEAT
"""Fires without a fault; the drill proves it by its heartbeats."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The parts of a recording rule that decide how much it delays the alerts that read it."""

    expression: str
    interval: float | None
    """Seconds between two evaluations; None for the stack's evaluation interval."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """The rules and routes of this checkout."""

    rules: Mapping[str, Rule]
    routing: routing.Routing
    thresholds: Mapping[str, Mapping[str, float]]
    overrides: Mapping[str, AlertOverride]
    telemetry: Mapping[str, str]
    """Maps each system to a gauge that exists while its telemetry is scraped."""
    recordings: Mapping[str, Recording]
    intervals: Mapping[str, float]
    """Maps alerts to seconds between their evaluations; only alerts whose group sets an interval."""

    def rule(self, name: str) -> Rule:
        """The rule with the stack's overrides."""
        return loader.effective(self.rules[name], self.thresholds.get(name, {}), self._change(name))

    def enabled(self, name: str) -> bool:
        """Whether the stack deploys this alert."""
        return self._change(name).enabled

    def system(self, name: str) -> str:
        """The system of an alert."""
        return self.rules[name].labels.system

    def rise(self, name: str) -> float:
        """Seconds from an alert's fault until its condition is true; see Waits.rise."""
        return wait_times.rise(self.rules[name], {**self.thresholds.get(name, {}), **self._change(name).thresholds})

    def _change(self, name: str) -> AlertOverride:
        return self.overrides.get(name, AlertOverride())

    def resolves(self, channel: str) -> bool:
        """Whether this channel gets a notification when an alert resolves."""
        return self.routing.channels[channel].kind.send_resolved

    def selected(self, names: Sequence[str], system: str | None = None) -> tuple[str, ...]:
        """The alerts with these names (none: all) and this system (None: all). Raises UsageError for unknown ones."""
        systems = tuple(dict.fromkeys(self.system(name) for name in self.rules))
        if system is not None and system not in systems:
            raise UsageError(f"unknown system {system!r}; there are: {', '.join(systems)}")
        known = tuple(self.rules)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"unknown alert {', '.join(unknown)}; known: {', '.join(known)}")
        return tuple(name for name in known if (not names or name in names) and system in (None, self.system(name)))


def content(environment: Environment | None) -> Content:
    """Rules and routes, with the overrides of `environment` if one is given. Raises OpsError if they are invalid."""
    try:
        rule_set = loader.load()
        raw = cast(dict[str, Any], environment.values.get("alertOverrides") or {}) if environment else {}
        return Content(
            rules=rule_set.rules(),
            routing=routing.load(),
            thresholds=rule_set.thresholds,
            overrides=loader.overrides(raw, rule_set),
            telemetry={name: system.telemetry for name, system in rule_set.systems.items()},
            recordings=_recordings(rule_set),
            intervals=_intervals(rule_set),
        )
    except RulesError as error:
        raise OpsError(str(error)) from error


def _recordings(rule_set: RuleSet) -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    for file in rule_set.files.values():
        for group in file.groups:
            interval = seconds(group.interval) if group.interval else None
            for rule in group.rules:
                if not isinstance(rule, Rule):
                    found[rule.record] = Recording(expression=rule.expr, interval=interval)
    return found


def _intervals(rule_set: RuleSet) -> dict[str, float]:
    files = (*rule_set.files.values(), *rule_set.loki_files.values())
    return {
        rule.alert: seconds(group.interval)
        for file in files
        for group in file.groups
        for rule in group.rules
        if group.interval and isinstance(rule, Rule)
    }
