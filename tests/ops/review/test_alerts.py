"""The summary of changed alerts: every kind of change, and risks that a reviewer would overlook."""

from collections.abc import Callable

import pytest

from alerting import routing
from ops.review import content_diff, messages
from ops.review.changes import Action, Change, ChangeKind, Detail
from tests.ops.review.edited import Copy

Changes = Callable[..., dict[str, Change]]
JOBS = "rules/prometheus/orders.yaml"
ROUTES = "rules/routing.yaml"
NO_WORKERS = 'labels: {severity: critical, system: orders, team: orders, page: "true", subject: workers}'


def risks(change: Change) -> str:
    return "; ".join(change.risks)


def test_an_unchanged_copy_has_no_changes(changes: Changes) -> None:
    assert changes() == {}


def test_a_looser_threshold_is_shown_with_both_numbers_and_without_a_diff(copy: Copy, changes: Changes) -> None:
    copy.replace("rules/systems/orders.yaml", "pending_orders: 1000", "pending_orders: 5000")
    copy.replace(JOBS, "> 1000", "> 5000")

    found = changes()

    assert set(found) == {"OrdersDepthHigh"}
    change = found["OrdersDepthHigh"]
    assert (change.kind, change.action, change.diff) == (ChangeKind.ALERT, Action.CHANGED, "")
    assert change.details == (Detail(what="threshold pending_orders", before="1000", after="5000"),)
    assert change.risks == ("is looser: threshold pending_orders: 1000 to 5000",)
    assert (change.system, change.team) == ("orders", "orders")
    assert change.receivers == ("orders-slack", "orders-webhook")


def test_a_tighter_threshold_is_no_risk(copy: Copy, changes: Changes) -> None:
    copy.replace("rules/systems/orders.yaml", "pending_orders: 1000", "pending_orders: 500")
    copy.replace(JOBS, "> 1000", "> 500")

    assert changes()["OrdersDepthHigh"].risks == ()


def test_an_override_of_one_stack_changes_only_that_stack(copy: Copy, changes: Changes) -> None:
    copy.set("staging", "alertOverrides: {OrdersDepthHigh: {for: 10m, thresholds: {pending_orders: 2000}}}")

    change = changes()["OrdersDepthHigh"]

    assert Detail(what="for", before="2m", after="10m") in change.details
    assert (
        Detail(what="threshold pending_orders (overridden in this stack)", before="1000", after="2000")
        in change.details
    )
    assert "fires later: for 10m, not 2m" in change.risks
    assert changes("production") == {}


def test_an_alert_that_loses_its_page_and_its_severity(copy: Copy, changes: Changes) -> None:
    copy.replace(JOBS, NO_WORKERS, NO_WORKERS.replace('"true"', '"false"').replace("critical", "warning"))

    change = changes()["OrdersNoWorkers"]

    assert "no longer pages: nobody is woken up" in change.risks
    assert "is only warning now, not critical" in change.risks
    assert "no longer notifies oncall-pagerduty" in change.risks
    assert Detail(what="repeated every", before="1h", after="4h") in change.details


def test_an_alert_that_a_stack_disables_is_removed(copy: Copy, changes: Changes) -> None:
    copy.set("staging", "alertOverrides: {OrdersNoWorkers: {enabled: false}}")

    change = changes()["OrdersNoWorkers"]

    assert change.action is Action.REMOVED
    assert change.risks == ("is removed, and it paged",)
    assert "oncall-pagerduty" in change.receivers


def test_a_new_alert_shows_its_labels_and_its_receivers(copy: Copy, changes: Changes) -> None:
    copy.replace(
        JOBS,
        "      # Every server reports",
        """      - alert: OrdersNew
        expr: max by (namespace, app) (orders_workers_active) > 7
        labels: {severity: critical, system: orders, team: orders, page: "true", subject: depth}
        annotations: {summary: S, description: '{{ $value | humanize }}', dashboard_url: /d/orders-overview}
      # Every server reports""",
    )
    (copy.folder / "rules/runbooks/OrdersNew.md").write_text("# What to do\n")

    found = changes()

    change = found["OrdersNew"]
    assert change.action is Action.ADDED
    assert change.receivers == ("oncall-pagerduty", "orders-slack", "orders-webhook")
    assert Detail(what="severity", after="critical") in change.details
    # The new alert has the same subject and a worse severity, so it mutes the other one while it fires.
    muted = found["OrdersDepthHigh"]
    assert muted.action is Action.REROUTED
    assert risks(muted) == "is now muted while OrdersNew fires (worse-severity)"


def test_a_changed_expression_is_shown_as_a_diff(copy: Copy, changes: Changes) -> None:
    copy.replace(JOBS, 'orders_queue_depth{status="PENDING"}', 'orders_queue_depth{status=~"PENDING|RETRY"}')

    change = changes()["OrdersDepthHigh"]

    assert '-max by (namespace, app, queue) (orders_queue_depth{status="PENDING"}) > 1000' in change.diff
    assert '+max by (namespace, app, queue) (orders_queue_depth{status=~"PENDING|RETRY"}) > 1000' in change.diff
    assert change.details == ()


def test_alerts_whose_receivers_change_by_a_route_alone_are_named(copy: Copy, changes: Changes) -> None:
    channels = "channels: [orders-slack, orders-webhook]"
    copy.replace(ROUTES, channels, "channels: [platform-slack]")
    # A channel without a route is refused, so the two channels get another one.
    next_route = "  - match: {system: search}"
    copy.replace(ROUTES, next_route, f"  - match: {{system: nobody}}\n    {channels}\n{next_route}")

    found = changes()

    moved = [change for change in found.values() if change.kind is ChangeKind.ALERT]
    assert {change.system for change in moved} == {"orders"}
    assert {change.action for change in moved} == {Action.REROUTED}
    assert risks(found["OrdersDepthHigh"]) == "no longer notifies orders-slack, orders-webhook"
    assert found["system=orders"].kind is ChangeKind.ROUTE
    assert found["system=nobody"].action is Action.ADDED


def test_an_alert_that_only_notifies_the_default_channel(copy: Copy, changes: Changes) -> None:
    copy.replace(ROUTES, "  - match: {system: orders}", "  - match: {system: orderss}")

    change = changes()["OrdersNoWorkers"]

    assert "loses all its receivers (oncall-pagerduty, orders-slack, orders-webhook)" in risks(change)
    assert "only the default channel platform-slack is notified" in risks(change)


def test_a_route_by_a_label_of_the_series_may_notify(copy: Copy, changes: Changes) -> None:
    copy.replace(
        ROUTES,
        "  - match: {system: orders}",
        "  - match: {system: orders, queue: mail}\n    channels: [platform-slack]\n  - match: {system: orders}",
    )

    change = changes()["OrdersDepthHigh"]

    assert change.details == (Detail(what="may notify", after="platform-slack where queue=mail"),)
    assert change.receivers == ("orders-slack", "orders-webhook")


def test_a_mute_window_that_now_applies(copy: Copy, changes: Changes) -> None:
    copy.replace(ROUTES, "  warning: {}", "  warning: {mute: [weekends]}")

    change = changes()["OrdersDepthHigh"]

    assert Detail(what="mute windows", after="weekends") in change.details
    assert risks(change) == "no longer notifies anyone during weekends"
    assert "OrdersNoWorkers" not in changes()


def test_an_inhibition_that_mutes_more(copy: Copy, changes: Changes) -> None:
    copy.replace(ROUTES, "source: {alertname: TargetDown, scope: app}", "source: {alertname: [TargetDown, Watchdog]}")

    found = changes()

    assert "is now muted while Watchdog fires (target-down)" in risks(found["OrdersDepthHigh"])
    assert "OrdersNoWorkers" not in found  # it pages
    assert found["target-down"].kind is ChangeKind.INHIBITION


@pytest.mark.parametrize("side", ["rules/prometheus/orders.yaml", "rules/runbooks/OrdersDepthHigh.md"])
def test_files_that_cannot_be_deployed_are_problems_and_the_others_are_read(copy: Copy, side: str) -> None:
    (copy.folder / side).unlink()

    found = copy.read()

    assert found.rules is None
    assert found.routing is not None
    assert any("OrdersDepthHigh" in problem for problem in found.problems)


def test_the_message_is_shown_before_and_after(copy: Copy) -> None:
    (copy.folder / "rules" / routing.TEMPLATES).write_text(routing.message_templates())
    before = copy.read()
    copy.replace("rules/prometheus/orders.yaml", "orders are pending", "orders wait")
    after = copy.read()
    changes, problem = messages.with_messages(content_diff.changes(before, after), before, after)
    assert problem == ""
    (change,) = changes
    removed, added = [line for line in change.message.splitlines() if line[0] in "+-"]
    assert removed == added.replace("orders wait", "orders are pending").replace("+", "-", 1)
    assert "orders wait in queue queue-1" in added
