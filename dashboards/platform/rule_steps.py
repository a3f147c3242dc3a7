"""Rows of Platform - Alerting Pipeline before Alertmanager: evaluation of rules, sending of alerts."""

from dashboards.builder import units
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines, single
from dashboards.builder.queries import or_zero, prom

_NO_ERRORS = Limits(critical=0.000001, why="none is normal: each may be an alert that nobody sees.")
RATE = Look(unit=units.PER_SECOND)
ERRORS = Look(unit=units.PER_SECOND, limits=_NO_ERRORS)
"""For events that should never happen."""
# The label rule_group is "file;group".
_GROUP = '"group", "$1", "rule_group", ".*;(.+)"'


def evaluation() -> Row:
    """Evaluation of Prometheus' rules: duration, age, failures."""
    share = """
    label_replace(
      max by (rule_group) (
        prometheus_rule_group_last_duration_seconds / prometheus_rule_group_interval_seconds
      ),
      {group}
    )
    """
    # A group without an evaluation reports the time 0; then its age is the server's uptime.
    age = """
    label_replace(
      time() - max by (pod, rule_group) (
        prometheus_rule_group_last_evaluation_timestamp_seconds > 0
        or
        0 * prometheus_rule_group_last_evaluation_timestamp_seconds
        + on (namespace, pod) group_left () max by (namespace, pod) (process_start_time_seconds{{app="prometheus"}})
      ),
      {group}
    )
    """
    missed = "sum by (pod) (rate(prometheus_rule_group_iterations_missed_total[$__rate_interval]))"
    failed = "sum by (pod) (rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))"
    return row(
        "1. Prometheus evaluates the rules",
        line(
            lines(
                "Evaluation time of the interval",
                "Duration of a group's evaluation as a share of its interval. Above 100 % evaluations are missed.",
                [prom(share.format(group=_GROUP), "{{group}}")],
                Look(
                    unit=units.RATIO,
                    limits=Limits(warning=0.5, critical=1, why="at 1 the next one is already due."),
                ),
            ),
            lines(
                "Age of the last evaluation",
                "Time since each server evaluated each group; it should stay near the group's interval. If one line "
                "grows, that server is stuck while the other still evaluates.",
                [prom(age.format(group=_GROUP), "{{group}} {{pod}}")],
                Look(unit=units.SECONDS),
            ),
            lines(
                "Failed and missed evaluations",
                "Rules that could not be evaluated, and group evaluations that were skipped because the previous one "
                "took too long.",
                [prom(failed, "failed {{pod}}"), prom(missed, "missed {{pod}}")],
                ERRORS,
            ),
        ),
    )


def sending() -> Row:
    """Delivery of alerts from Prometheus to every Alertmanager."""
    by_pod = "sum by (pod) (rate(prometheus_notifications_{what}_total[$__rate_interval]))"
    queue = """
    max by (pod) (prometheus_notifications_queue_length)
    / max by (pod) (prometheus_notifications_queue_capacity)
    """
    return row(
        "2. Prometheus sends alerts to every Alertmanager",
        line(
            lines(
                "Alerts sent",
                "Alerts that each server sent, counted once per Alertmanager. Firing alerts are sent repeatedly.",
                [prom(by_pod.format(what="sent"), "{{pod}}")],
                RATE,
            ),
            lines(
                "Errors and drops",
                "Alerts that could not be sent to one Alertmanager, and alerts that were dropped.",
                [
                    prom(by_pod.format(what="errors"), "error {{pod}}"),
                    prom(by_pod.format(what="dropped"), "dropped {{pod}}"),
                ],
                ERRORS,
            ),
            lines(
                "Queue",
                "Share of the sending queue in use. A full queue drops the oldest alerts.",
                [prom(queue, "{{pod}}")],
                Look(unit=units.RATIO, limits=Limits(warning=0.5, critical=0.9, why="at 1 alerts are dropped.")),
            ),
            single(
                "Alertmanagers known",
                "Alertmanagers known to the server that knows the fewest; this must be the number of replicas.",
                prom("min(prometheus_notifications_alertmanagers_discovered)", "known"),
                Look(
                    unit=units.EXACT,
                    limits=Limits(critical=1, low_is_bad=True, why="without one, no notifications."),
                ),
            ),
        ),
    )


def loki_ruler() -> Row:
    """Evaluation and sending in Loki's ruler."""
    rate = "sum by (pod) (rate(loki_prometheus_{what}_total[$__rate_interval]))"
    return row(
        "3. Loki evaluates its rules and sends alerts, too",
        line(
            lines(
                "Rule evaluations",
                "Log rules evaluated per second.",
                [prom(or_zero(rate.format(what="rule_evaluations"), "pod"), "{{pod}}")],
                RATE,
            ),
            lines(
                "Failed and missed evaluations",
                "Log rules that could not be evaluated, or were skipped because the previous evaluation took too long.",
                [
                    prom(or_zero(rate.format(what="rule_evaluation_failures"), "pod"), "failed {{pod}}"),
                    prom(or_zero(rate.format(what="rule_group_iterations_missed"), "pod"), "missed {{pod}}"),
                ],
                ERRORS,
            ),
            lines(
                "Alerts sent and dropped",
                "Alerts that Loki sent to Alertmanager, could not send, or dropped.",
                [
                    prom(or_zero(rate.format(what=f"notifications_{what}"), "pod"), f"{what} {{{{pod}}}}")
                    for what in ("sent", "errors", "dropped")
                ],
                RATE,
            ),
        ),
    )
