"""What the alerting rules of one commit would have raised, over the data of Prometheus and Loki, or of a file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from alerting.resend_delay import resend_delay
from ops.replay import rules
from ops.replay.changed import Rules
from ops.replay.episodes import HOUR
from ops.replay.rules import Raised, Recorded
from settings.apps import LOKI_RULES, LOKI_TENANT, PROMETHEUS_RULES

WARM_UP = 24 * HOUR
"""Read before the time that counts, so that a long `for` has passed and groups are in the middle of their repeats."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the recorded data are."""

    prometheus: str
    """URL; empty if there is a file of samples."""
    loki: str | None = None
    """URL; None: alerts on log lines are not replayed."""
    samples: Path | None = None
    """Captured samples, instead of those of Prometheus."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The time in which rules are evaluated, in milliseconds since 1970."""

    start: int
    until: int


def recorded(side: Rules, sources: Sources, span: Span) -> Recorded:
    """Prometheus, as the program that replays rules reads it."""
    return Recorded(
        url=sources.prometheus or "http://127.0.0.1:9",
        data=sources.samples,
        start=span.start,
        until=span.until,
        interval=side.commit.interval,
        external_labels=side.commit.labels,
        folder=PROMETHEUS_RULES,
    )


def raised(side: Rules, alerts: Collection[str], anew: Collection[str], sources: Sources, span: Span) -> Raised:
    """What these alerts of Prometheus would have raised, with the series `anew` recorded by the commit's rules."""
    files = side.only(alerts, anew) if side.alerts.keys() & set(alerts) else {}
    return rules.raised(files, recorded(side, sources, span)) if files else NOTHING


def raised_by_logs(side: Rules, alerts: Collection[str], sources: Sources, span: Span) -> Raised:
    """What these alerts on log lines would have raised; nothing without a Loki."""
    files = side.only_logs(alerts)
    if not files or not sources.loki:
        return NOTHING
    loki = replace(
        recorded(side, sources, span),
        url=sources.loki,
        data=None,
        logs=True,
        folder=f"{LOKI_RULES}/{LOKI_TENANT}",
        resend=resend_delay(side.commit.log_rule_files, side.commit.interval),
    )
    return rules.raised(files, loki)


NOTHING = Raised(episodes=(), costs=())


def together(parts: Iterable[Raised]) -> Raised:
    """The results of several programs as one."""
    parts = list(parts)
    return Raised(
        episodes=tuple(chain.from_iterable(one.episodes for one in parts)),
        costs=tuple(chain.from_iterable(one.costs for one in parts)),
    )
