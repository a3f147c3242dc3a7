"""Twenty edits whose effect on the recorded evening is known: each is told as it is.

In the evening, OrdersDepthHigh has 1,500 orders from minute 60 to 70 and 3,000 from 180 to 240, and OrdersNoWorkers, a
page, fires from 100 to 160. All of it is before midnight in UTC; night begins at 22:00, in minute 120.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC

import pytest

from ops.replay import comparison, deployed
from ops.replay import replay as replaying
from ops.replay.deployed import Deployed
from ops.replay.evaluation import Sources
from tests.ops.replay.conftest import START, UNTIL, Recording
from tests.ops.review.edited import Copy

RULES, ROUTING, SYSTEM = "rules/prometheus/orders.yaml", "rules/routing.yaml", "rules/systems/orders.yaml"
DEPTH = '> 1000\n        for: 2m\n        labels: {severity: warning, system: orders, team: orders, page: "false"'
ALSO = (
    'channels: [orders-slack, orders-webhook]\n    also:\n      - {match: {page: "true"}, channels: [oncall-pagerduty]}'
)
SLACK, HOOK, PAGER = "orders-slack", "orders-webhook", "oncall-pagerduty"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """An edit, and what it does."""

    replace: tuple[tuple[str, str, str], ...] = ()
    """(file, old, new) of each."""
    set: str = ""
    """A line of the stack's file."""
    messages: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Receiver -> messages before and after; of all others the same."""
    pages: tuple[int, int] = (1, 1)
    night_pages: tuple[int, int] = (0, 0)
    moved: int = 0


def depth(new: str, **more: object) -> Edit:
    return Edit(replace=((RULES, DEPTH, new),), **more)  # type: ignore[arg-type]


def both(before: int, after: int) -> dict[str, tuple[int, int]]:
    return {SLACK: (before, after), HOOK: (before, after)}


def threshold(number: int, after: int) -> Edit:
    return Edit(
        replace=(
            (RULES, "> 1000", f"> {number}"),
            (SYSTEM, "pending_orders: 1000", f"pending_orders: {number}"),
        ),
        messages=both(6, after),
    )


LOWER = threshold(500, 6)
EDITS = {
    # Rules
    "threshold above the first peak": threshold(2000, 4),
    "threshold above both peaks": threshold(5000, 2),
    "lower threshold, with the same peaks": LOWER,
    "for longer than the first peak": depth(DEPTH.replace("2m", "30m"), messages=both(6, 4), moved=4),
    "for longer than both peaks": depth(DEPTH.replace("2m", "2h"), messages=both(6, 2)),
    "for of one minute": depth(DEPTH.replace("2m", "1m"), messages=both(6, 6)),
    "keeps firing from one peak to the next": depth(
        DEPTH.replace("2m", "2m\n        keep_firing_for: 2h"), messages=both(6, 4), moved=0
    ),
    "keeps firing for ten minutes": depth(
        DEPTH.replace("2m", "2m\n        keep_firing_for: 10m"), messages=both(6, 6), moved=4
    ),
    "pages": depth(DEPTH.replace('"false"', '"true"'), messages={PAGER: (2, 6)}, pages=(1, 3), night_pages=(0, 1)),
    "another team, whom no route reads": depth(DEPTH.replace("team: orders", "team: shop"), messages={}),
    "another annotation": Edit(replace=((RULES, "Orders pile up", "Too many orders wait"),)),
    "an expression that loses a label: other series, and the same messages": Edit(
        replace=(
            (
                RULES,
                "max by (namespace, app, queue) (orders_queue_depth",
                "max by (namespace, app) (orders_queue_depth",
            ),
            (RULES, "Orders pile up in queue {{ $labels.queue }}", "Orders pile up"),
            (RULES, "pending in queue {{ $labels.queue }} (namespace", "pending (namespace"),
        ),
        messages=both(6, 6),
    ),
    # Routes
    "a channel less": Edit(
        replace=(
            (ROUTING, "channels: [orders-slack, orders-webhook]", "channels: [orders-slack]"),
            (ROUTING, "  orders-webhook:\n    webhook: {url_secret: notificationWebhookUrl}\n", ""),
        ),
        messages={HOOK: (2, 0)},
    ),
    "a channel more": Edit(
        replace=(
            (
                ROUTING,
                "channels: [orders-slack, orders-webhook]",
                "channels: [orders-slack, orders-webhook, platform-slack]",
            ),
        ),
        messages={"platform-slack": (0, 2)},
    ),
    "nobody is paged": Edit(
        replace=((ROUTING, ALSO, "channels: [orders-slack, orders-webhook]"),), messages={PAGER: (2, 0)}, pages=(1, 0)
    ),
    "others are paged": Edit(
        replace=((ROUTING, ALSO, ALSO.replace("oncall", "variants")),),
        messages={PAGER: (2, 0), "variants-pagerduty": (0, 2)},
    ),
    "critical repeats every ten minutes": Edit(
        replace=((ROUTING, "critical: {repeat_interval: 1h}", "critical: {repeat_interval: 10m}"),),
        messages={SLACK: (2, 5), HOOK: (2, 5), PAGER: (2, 5)},
    ),
    # Windows
    # The threshold changes, too, so that the alert is replayed; 500 orders are exceeded as long as 1,000.
    "warnings are muted at night, from 20:00 on": replace(
        LOWER, replace=(*LOWER.replace, (ROUTING, "warning: {}", "warning: {mute: [nights]}")), messages=both(6, 2)
    ),
    "warnings are muted at weekends, and this is a Wednesday": replace(
        LOWER, replace=(*LOWER.replace, (ROUTING, "warning: {}", "warning: {mute: [weekends]}"))
    ),
    # Waiting times and overrides of the stack
    "a group waits for five minutes": Edit(set="groupWait: 5m", moved=3),
    # AlertsOnMissingMetrics changes with the alerts: what the head's reads is recorded first, and finds metrics that
    # the evening has not. What the base's reads has nobody recorded.
    "an override disables the alert": Edit(
        set="alertOverrides: {OrdersDepthHigh: {enabled: false}}", messages={**both(6, 2), "platform-slack": (0, 2)}
    ),
    "an override waits longer": Edit(set="alertOverrides: {OrdersDepthHigh: {for: 30m}}", messages=both(6, 4), moved=4),
}


@pytest.fixture(scope="module")
def old(base: Copy) -> Deployed:
    return deployed.read(base.folder, "staging", name="base")


def test_there_are_twenty() -> None:
    assert len(EDITS) >= 20


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_told_as_it_is(name: str, server: Recording, old: Deployed, head: Copy) -> None:
    edit = EDITS[name]
    for file, before, after in edit.replace:
        head.replace(file, before, after)
    if edit.set:
        head.set("staging", edit.set)
    new = deployed.read(head.folder, "staging", name="head")
    found = comparison.compare(
        replaying.replay(old, new, Sources(prometheus=server.url), since=START, until=UNTIL), UTC
    )

    seen = {who: (one.base.messages, one.head.messages) for who, one in found.by_receiver.items()}
    total = found.total
    differing = {who: counts for who, counts in seen.items() if counts[0] != counts[1]}
    assert differing == {who: counts for who, counts in edit.messages.items() if counts[0] != counts[1]}
    assert {who: seen[who] for who in edit.messages} == edit.messages
    assert (total.base.pages, total.head.pages) == edit.pages
    assert (total.base.night_pages, total.head.night_pages) == edit.night_pages
    assert total.moved == edit.moved
