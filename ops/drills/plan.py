"""What a drill expects of each alert: its channels and the time that the pipeline may take.

A plan is read from a live stack (its running configuration) or from the files (what a deployment would run).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerting.model import Engine
from alerting.routing import notified
from ops.clients.signals import Alertmanager, Prometheus, seconds
from ops.drills import simulated_series, wait_times
from ops.drills.deployed import Content, Recording
from ops.drills.log_rules import LogRules
from ops.drills.wait_times import LINES_ARRIVE
from ops.environment import Environment
from ops.errors import OpsError

SCRAPE_POOL = "pods"
"""The scrape job that discovers the simulator's pods."""
TOLERANCE = 2.0
"""Seconds, besides one scrape interval, by which a delivery may exceed the sum of its waits."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """The waits between a fault and its delivery, in seconds."""

    scrape: float
    """Time until the fault's telemetry is stored: the scrape interval, or LINES_ARRIVE for log lines."""
    evaluation: float
    for_: float
    group_wait: float
    group_interval: float
    """Time between two notifications of one group, which is the longest wait of a resolved notification."""
    rise: float = 0.0
    """Time that the fault needs to fill the rule's window up to the threshold; 0 if the first scrape does so."""

    @property
    def allowed(self) -> float:
        """Expected maximum: the sum of scrape, rise, evaluation, `for` and group_wait."""
        return self.scrape + self.rise + self.evaluation + self.for_ + self.group_wait

    @property
    def to_resolve(self) -> float:
        """Expected maximum from the end of a condition to its resolved notification."""
        return self.scrape + self.rise + self.evaluation + self.group_interval

    @property
    def limit(self) -> float:
        """Time after which a delivery is late: `allowed` plus one scrape interval plus TOLERANCE."""
        return self.allowed + self.scrape + TOLERANCE


@dataclass(frozen=True, kw_only=True)
class AlertPlan:
    """One alert of the drill."""

    alert: str
    labels: Mapping[str, str]
    channels: tuple[str, ...]
    """Every channel that must be notified."""
    waits: Waits
    default_for: float
    """Seconds of `for` in rules/, before a stack's overrides."""
    engine: Engine = "prometheus"
    """The engine that evaluates the alert."""
    window: float = 0.0
    """Seconds of the longest range that must empty before the condition is false again."""
    probe: str = ""
    """A gauge that exists while the telemetry of the alert's system is scraped; empty if the drill need not check."""

    @property
    def severity(self) -> str:
        """Value of the label `severity`."""
        return self.labels.get("severity", "")

    @property
    def system(self) -> str:
        """Value of the label `system`."""
        return self.labels.get("system", "")


def from_files(files: Content, environment: Environment, names: Sequence[str]) -> list[AlertPlan]:
    """The plan according to the stack's files, without any request. Raises OpsError for a missing setting."""

    def setting(key: str) -> float:
        if key not in environment.values:
            raise OpsError(f"neither Pulumi.yaml nor Pulumi.{environment.stack}.yaml has observability:{key}")
        return seconds(str(environment.values[key]))

    plans: list[AlertPlan] = []
    for name in files.selected(names):
        rule = files.rule(name)
        evaluation = setting("evaluationInterval")
        scrape = setting("scrapeInterval")
        waits = Waits(
            scrape=LINES_ARRIVE if rule.engine == "loki" else scrape,
            rise=_rise(files, name, scrape, evaluation) + recorded(rule.expr, files.recordings, evaluation),
            evaluation=files.intervals.get(name) or evaluation,
            for_=wait_times.held(seconds(rule.for_), files.intervals.get(name) or evaluation),
            group_wait=setting("groupWait"),
            group_interval=setting("groupInterval"),
        )
        plans.append(_plan(files, name, rule.alert_labels, waits))
    return plans


def from_live(
    files: Content,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    names: Sequence[str],
    *,
    log_rules: LogRules | None = None,
) -> list[AlertPlan]:
    """The plan with the timings of the running Prometheus, Alertmanager and (if given) Loki's ruler.

    Raises OpsError for a missing rule.
    """
    live = {**prometheus.alert_rules(), **(log_rules.alert_rules() if log_rules else {})}
    recordings = {
        name: Recording(expression=str(rule["query"]), interval=float(rule["interval"]))
        for name, rule in prometheus.recording_rules().items()
    }
    config = alertmanager.config()
    scrape = prometheus.scrape_interval(SCRAPE_POOL)
    plans: list[AlertPlan] = []
    for name in files.selected(names):
        if name not in live:
            engine = "Loki" if files.rules[name].engine == "loki" else "Prometheus"
            raise OpsError(
                f"{engine} has no rule {name}: the stack is older than this checkout, or it disables the alert"
            )
        labels = {**live[name]["labels"], "alertname": name}
        group_wait, group_interval = group_times(config, labels)
        waits = Waits(
            scrape=LINES_ARRIVE if files.rules[name].engine == "loki" else scrape,
            rise=_rise(files, name, scrape, float(live[name]["interval"]))
            + recorded(files.rules[name].expr, recordings, 0.0),
            evaluation=float(live[name]["interval"]),
            for_=wait_times.held(float(live[name]["duration"]), float(live[name]["interval"])),
            group_wait=group_wait,
            group_interval=group_interval,
        )
        plans.append(_plan(files, name, labels, waits))
    return plans


def _rise(files: Content, name: str, scrape: float, evaluation: float) -> float:
    more = scrape if name in simulated_series.load().second_scrape else 0.0
    return files.rise(name) + more + wait_times.EVALUATIONS.get(name, 0) * evaluation


def recorded(expression: str, recordings: Mapping[str, Recording], default: float) -> float:
    """Seconds by which recording rules may delay an expression; for a chain of rules, the sum of their intervals."""
    read = wait_times.recorded_names(expression, recordings)
    others = {name: one for name, one in recordings.items() if name not in read}
    delays = [
        (default if one.interval is None else one.interval) + recorded(one.expression, others, default)
        for one in (recordings[name] for name in read)
    ]
    return max(delays, default=0.0)


def group_times(config: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[float, float]:
    """The longest group_wait and group_interval of an alert's channels, in seconds.

    `config` is Alertmanager's running configuration.
    """
    found = notified.notifications(config, labels)
    return max(seconds(one.group_wait) for one in found), max(seconds(one.group_interval) for one in found)


def _plan(files: Content, name: str, labels: Mapping[str, str], waits: Waits) -> AlertPlan:
    return AlertPlan(
        alert=name,
        labels=labels,
        channels=notified.channels(files.routing, labels),
        waits=waits,
        default_for=seconds(files.rules[name].for_),
        engine=files.rules[name].engine,
        window=wait_times.window(
            files.rules[name], {series: one.expression for series, one in files.recordings.items()}
        )
        + seconds(files.rule(name).keep_firing_for or "0s"),
        # A system that exists only as simulated series has no telemetry before its fault.
        probe=simulated_series.PROBE if simulated_series.makes(name) else files.telemetry.get(files.system(name), ""),
    )
