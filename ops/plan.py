"""What a drill expects of each alert: its channels and the time that the pipeline is allowed to take.

Read either from a live stack (what really runs) or from the files (what would run), into the same shape.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ops.clients import Alertmanager, Delivery, Prometheus, seconds
from ops.environment import Environment
from ops.errors import OpsError, UsageError
from ops.log_rules import LogRules
from rules import loader, routing
from rules.model import AlertOverride, Engine, Rule
from rules.problems import RulesError

SYSTEMS = {
    "job-queue": "jq_workers_active",
    "speccursor": 'up{app="speccursor"}',
    "platform": "prometheus_config_last_reload_successful",
}
"""Systems whose alerts have faults -> a gauge that says their telemetry is scraped."""
ALWAYS_FIRES = "Watchdog"
"""Fires without a fault; a second one of it would feed the dead man's switch while the pipeline may be broken."""
ERROR_LOG_BURST = "SpecCursorErrorLogBurst"
ERROR_LINES = 30.0
"""Lines a minute that the simulator's fault for ERROR_LOG_BURST writes."""
LINES_ARRIVE = 10.0
"""Seconds from a log line to its place in Loki: an agent finds it, then two queues collect a batch each."""
LONGEST_WINDOW = 1800.0
"""Seconds: a longer range in an expression looks for what was once there, and empties nothing."""
_RANGE = re.compile(r"\[([0-9a-z]+)\]")
SCRAPE_POOL = "pods"
"""The scrape job that finds the simulator's pods."""
TOLERANCE = 2.0
"""Seconds above one scrape interval by which a delivery may exceed the sum of the waits it goes through."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """The waits between a fault and its delivery, in seconds."""

    scrape: float
    """Until the fault's telemetry is stored: the interval between two scrapes, or LINES_ARRIVE."""
    evaluation: float
    for_: float
    group_wait: float
    group_interval: float
    """Between two notifications of one group: the most that a resolved message waits."""
    rise: float = 0.0
    """What the fault needs to fill the rule's window up to its limit; 0 for one that does so at its first scrape."""

    @property
    def allowed(self) -> float:
        """What the settings and the fault explain: the sum of scrape, rise, evaluation, `for` and group_wait."""
        return self.scrape + self.rise + self.evaluation + self.for_ + self.group_wait

    @property
    def limit(self) -> float:
        """Above this a delivery is late: one scrape interval and TOLERANCE more than allowed."""
        return self.allowed + self.scrape + TOLERANCE


@dataclass(frozen=True, kw_only=True)
class AlertPlan:
    """One alert of the drill."""

    alert: str
    labels: Mapping[str, str]
    channels: tuple[str, ...]
    """Every channel that must be told."""
    waits: Waits
    default_for: float
    """Seconds of `for` in rules/, before a stack's overrides."""
    engine: Engine = "prometheus"
    """Who evaluates it."""
    window: float = 0.0
    """Seconds of the longest range that must empty before the condition is false again."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """The rules and routes of this checkout."""

    rules: Mapping[str, Rule]
    routing: routing.Routing
    thresholds: Mapping[str, Mapping[str, float]]
    overrides: Mapping[str, AlertOverride]

    def rule(self, name: str) -> Rule:
        """The rule as the stack deploys it, with its overrides."""
        return loader.effective(self.rules[name], self.thresholds.get(name, {}), self._change(name))

    def enabled(self, name: str) -> bool:
        """Whether the stack deploys this alert at all."""
        return self._change(name).enabled

    def rise(self, name: str) -> float:
        """Seconds until the fault behind an alert has filled its rule's window up to the limit; see Waits.rise.

        The simulated counters jump with a fault; log lines come one by one. The rule wants a mean of its window, so it
        is true after 5m * 10/min = 50 lines, which 30 lines a minute are in 100 s.
        """
        if name != ERROR_LOG_BURST:
            return 0.0
        limit = self._change(name).thresholds.get("lines_per_minute", self.thresholds[name]["lines_per_minute"])
        return _window(self.rules[name]) * limit / ERROR_LINES

    def _change(self, name: str) -> AlertOverride:
        return self.overrides.get(name, AlertOverride())

    def resolves(self, channel: str) -> bool:
        """Whether this channel is told when an alert is over."""
        return self.routing.channels[channel].kind.send_resolved

    def channel_of(self, delivery: Delivery) -> str:
        """Name of the channel that a delivery went to.

        Alertmanager names the receiver (= channel) in a webhook, and the Slack channel in a Slack message. The URL's
        path decides only when the payload does not: several Slack channels may share one incoming webhook.
        """
        if delivery.kind == "webhook":
            return str(delivery.payload.get("receiver", delivery.channel))
        for name, channel in self.routing.channels.items():
            if channel.slack and channel.slack.channel == delivery.payload.get("channel"):
                return name
        return delivery.channel

    def selected(self, names: Sequence[str], system: str | None = None) -> tuple[str, ...]:
        """The alerts named, or all of a system, or of all SYSTEMS. Raises UsageError for what is no drill."""
        if system is not None and system not in SYSTEMS:
            raise UsageError(f"unknown system {system!r}; with faults: {', '.join(SYSTEMS)}")
        if ALWAYS_FIRES in names:
            raise UsageError(f"{ALWAYS_FIRES} is no drill: it fires always, and who expects it would be misled")
        systems = {name: rule.labels.system for name, rule in self.rules.items()}
        known = tuple(name for name in systems if systems[name] in SYSTEMS and name != ALWAYS_FIRES)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"unknown alert {', '.join(unknown)}; known: {', '.join(known)}")
        if names:
            return tuple(name for name in known if name in names)
        return tuple(name for name in known if system in (None, systems[name]))


def content(environment: Environment | None) -> Content:
    """Rules and routes, with the overrides of `environment` if one is given. Raises OpsError when they are wrong."""
    try:
        rule_set = loader.load()
        raw = cast(dict[str, Any], environment.values.get("alertOverrides") or {}) if environment else {}
        return Content(
            rules=rule_set.rules(),
            routing=routing.load(),
            thresholds=rule_set.thresholds,
            overrides=loader.overrides(raw, rule_set),
        )
    except RulesError as error:
        raise OpsError(str(error)) from error


def from_files(files: Content, environment: Environment, names: Sequence[str]) -> list[AlertPlan]:
    """The plan as the stack's files have it; nothing is asked."""

    def setting(key: str) -> float:
        if key not in environment.values:
            raise OpsError(f"neither Pulumi.yaml nor Pulumi.{environment.stack}.yaml has observability:{key}")
        return seconds(str(environment.values[key]))

    plans: list[AlertPlan] = []
    for name in files.selected(names):
        rule = files.rule(name)
        labels = {**rule.labels.model_dump(), "alertname": name}
        waits = Waits(
            scrape=LINES_ARRIVE if rule.engine == "loki" else setting("scrapeInterval"),
            rise=files.rise(name),
            evaluation=setting("evaluationInterval"),
            for_=seconds(rule.for_),
            group_wait=setting("groupWait"),
            group_interval=setting("groupInterval"),
        )
        plans.append(_plan(files, name, labels, waits))
    return plans


def from_live(
    files: Content,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    names: Sequence[str],
    *,
    log_rules: LogRules | None = None,
) -> list[AlertPlan]:
    """The plan with the timings of the running Prometheus, Loki's ruler (where it is given) and Alertmanager.

    Raises OpsError for a missing rule.
    """
    live = {**prometheus.alert_rules(), **(log_rules.alert_rules() if log_rules else {})}
    config = alertmanager.config()
    scrape = prometheus.scrape_interval(SCRAPE_POOL)
    plans: list[AlertPlan] = []
    for name in files.selected(names):
        if name not in live:
            who = "Loki" if files.rules[name].engine == "loki" else "Prometheus"
            raise OpsError(f"{who} has no rule {name}: the stack is behind this checkout, or it disables the alert")
        labels = {**live[name]["labels"], "alertname": name}
        times = route_times(config, labels)
        waits = Waits(
            scrape=LINES_ARRIVE if files.rules[name].engine == "loki" else scrape,
            rise=files.rise(name),
            evaluation=float(live[name]["interval"]),
            for_=float(live[name]["duration"]),
            group_wait=max(wait for wait, _ in times.values()),
            group_interval=max(interval for _, interval in times.values()),
        )
        plans.append(_plan(files, name, labels, waits))
    return plans


def route_times(config: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Receiver -> (group_wait, group_interval) in seconds, of every route that an alert with these labels takes.

    `config` is Alertmanager's running configuration; what it leaves out has Alertmanager's defaults.
    """
    return dict(_walk(config["route"], labels, {"group_wait": "30s", "group_interval": "5m"}))


def _walk(
    route: Mapping[str, Any], labels: Mapping[str, str], inherited: Mapping[str, Any]
) -> list[tuple[str, tuple[float, float]]]:
    own = {**inherited, **{key: route[key] for key in ("receiver", "group_wait", "group_interval") if key in route}}
    found: list[tuple[str, tuple[float, float]]] = []
    for child in route.get("routes") or []:
        if all(_matches(matcher, labels) for matcher in child.get("matchers") or []):
            found += _walk(child, labels, own)
            if not child.get("continue"):
                break
    return found or [(own["receiver"], (seconds(own["group_wait"]), seconds(own["group_interval"])))]


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    parts = re.fullmatch(r'\s*"?(\w+)"?\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*', matcher)
    if not parts:
        raise OpsError(f"Alertmanager's configuration has a matcher that this program cannot read: {matcher}")
    name, operator, wanted = parts.groups()
    value = labels.get(name, "")
    same = re.fullmatch(wanted, value) is not None if "~" in operator else wanted == value
    return same != operator.startswith("!")


def _plan(files: Content, name: str, labels: Mapping[str, str], waits: Waits) -> AlertPlan:
    return AlertPlan(
        alert=name,
        labels=labels,
        channels=files.routing.channels_for(labels),
        waits=waits,
        default_for=seconds(files.rules[name].for_),
        engine=files.rules[name].engine,
        window=_window(files.rules[name]),
    )


def _window(rule: Rule) -> float:
    ranges = [seconds(text) for text in _RANGE.findall(rule.expr)]
    return max((found for found in ranges if found <= LONGEST_WINDOW), default=0.0)
