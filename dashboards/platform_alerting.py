"""Platform - Alerting Pipeline: from the evaluation of a rule to the notification that somebody reads."""

from typing import Any

from dashboards import platform_signals as signals
from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, Limits, Look, Word
from dashboards.builder.panels import lines, log_lines, single
from dashboards.builder.queries import logs, or_zero, prom, quantile

_NO_ERRORS = Limits(critical=0.000001, why="none is normal: every one may be an alert that nobody sees.")
_FINE = (Word(value=1, text="yes", colour=GOOD), Word(value=0, text="no", colour=CRITICAL))
_RATE = Look(unit=units.PER_SECOND)
_ERRORS = Look(unit=units.PER_SECOND, limits=_NO_ERRORS)
# Loki writes its levels in small letters, the other two in capitals; its other parts have nothing to do with alerts.
_PIPELINE_LOG = """
{app=~"alertmanager|prometheus|loki"}
  |~ "level=(WARN|ERROR)|level=(warn|error).*(?i:ruler|rule group|alert|notifier)|(Loading|Failed).*configuration file"
"""
# The label rule_group is "file;group".
_GROUP = '"group", "$1", "rule_group", ".*;(.+)"'


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="platform-alerting",
        title="Platform - Alerting Pipeline",
        system="platform",
        purpose="Follows an alert: Prometheus and Loki evaluate the rules, Prometheus and Loki send alerts to every "
        "Alertmanager, one Alertmanager notifies. Each row is one step; the first broken row is the cause.",
        runbooks=["Watchdog", "TargetDown"],
        logs='{app="alertmanager"}',
    )
    rows = [_heartbeat(), _evaluation(), _sending(), _loki_ruler(), _notifications(), _cluster()]
    return dashboard(about, [], rows)


def _heartbeat() -> Row:
    return row(
        "Does the whole chain work?",
        line(
            single(
                "Heartbeat",
                "Watchdog fires always. When it is silent, no alert can be trusted, and the dead man's switch outside "
                "the cluster must notice.",
                prom(or_zero('max(ALERTS{alertname="Watchdog", alertstate="firing"})'), "Watchdog fires"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            signals.alerts_firing(),
            single(
                "Alerts pending",
                "Alerts of Prometheus' rules whose condition holds, but not yet for long enough; Loki does not tell.",
                prom(or_zero('count(ALERTS{alertstate="pending"})'), "pending"),
                Look(unit=units.EXACT),
            ),
            single(
                "Silences",
                "Active silences: alerts under them notify nobody.",
                prom('max(alertmanager_silences{state="active"})', "active"),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="a forgotten silence hides real alerts.")),
            ),
            single(
                "Prometheus configuration",
                "Whether every server runs the newest configuration and rules; otherwise it goes on with the old ones.",
                prom("min(prometheus_config_last_reload_successful)", "reloaded"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            single(
                "Alertmanager configuration",
                "Whether every replica runs the newest routes; otherwise it goes on with the old ones.",
                prom("min(alertmanager_config_last_reload_successful)", "reloaded"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            height=4,
        ),
        line(
            lines(
                "Alerts by name",
                "Pending and firing alerts of Prometheus' rules in all systems; one alert may have several instances. "
                "Loki's are among the alerts held, below.",
                [prom("count by (alertname, alertstate) (ALERTS)", "{{alertname}} {{alertstate}}")],
                Look(unit=units.EXACT, stacked=True),
            ),
        ),
    )


def _evaluation() -> Row:
    share = """
    label_replace(
      max by (rule_group) (
        prometheus_rule_group_last_duration_seconds / prometheus_rule_group_interval_seconds
      ),
      {group}
    )
    """
    # A group that was not evaluated yet has the time 0; then its age is that of the server.
    age = """
    label_replace(
      time() - max by (pod, rule_group) (
        prometheus_rule_group_last_evaluation_timestamp_seconds > 0
        or
        0 * prometheus_rule_group_last_evaluation_timestamp_seconds
        + on (namespace, pod) group_left () process_start_time_seconds{{app="prometheus"}}
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
                "Share of its interval that a group's evaluation takes. Above 100 % evaluations are missed.",
                [prom(share.format(group=_GROUP), "{{group}}")],
                Look(unit=units.RATIO, limits=Limits(warning=0.5, critical=1, why="at 1 the next one is already due.")),
            ),
            lines(
                "Age of the last evaluation",
                "Time since each server evaluated each group; it should stay near the group's interval. One line that "
                "grows is a server that is stuck, while the other one still evaluates.",
                [prom(age.format(group=_GROUP), "{{group}} {{pod}}")],
                Look(unit=units.SECONDS),
            ),
            lines(
                "Failed and missed evaluations",
                "Rules that could not be evaluated, and group evaluations that were left out because the one before "
                "took too long.",
                [prom(failed, "failed {{pod}}"), prom(missed, "missed {{pod}}")],
                _ERRORS,
            ),
        ),
    )


def _sending() -> Row:
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
                "Alerts that each server sent, counted once per Alertmanager. Firing alerts are sent again and again.",
                [prom(by_pod.format(what="sent"), "{{pod}}")],
                _RATE,
            ),
            lines(
                "Errors and drops",
                "Alerts that could not be sent to one Alertmanager, and alerts that were given up.",
                [
                    prom(by_pod.format(what="errors"), "error {{pod}}"),
                    prom(by_pod.format(what="dropped"), "dropped {{pod}}"),
                ],
                _ERRORS,
            ),
            lines(
                "Queue",
                "Share of the sending queue in use. A full queue drops the oldest alerts.",
                [prom(queue, "{{pod}}")],
                Look(unit=units.RATIO, limits=Limits(warning=0.5, critical=0.9, why="at 1 alerts are dropped.")),
            ),
            single(
                "Alertmanagers known",
                "Alertmanagers that the server with the fewest sends to: every replica must be among them.",
                prom("min(prometheus_notifications_alertmanagers_discovered)", "known"),
                Look(unit=units.EXACT, limits=Limits(critical=1, low_is_bad=True, why="without one nobody is told.")),
            ),
        ),
    )


def _loki_ruler() -> Row:
    rate = "sum by (pod) (rate(loki_prometheus_{what}_total[$__rate_interval]))"
    return row(
        "3. Loki evaluates its rules and sends alerts, too",
        line(
            lines(
                "Rule evaluations",
                "Log rules evaluated per second.",
                [prom(or_zero(rate.format(what="rule_evaluations"), "pod"), "{{pod}}")],
                _RATE,
            ),
            lines(
                "Failed and missed evaluations",
                "Log rules that could not be evaluated, or were left out because the evaluation before took too long.",
                [
                    prom(or_zero(rate.format(what="rule_evaluation_failures"), "pod"), "failed {{pod}}"),
                    prom(or_zero(rate.format(what="rule_group_iterations_missed"), "pod"), "missed {{pod}}"),
                ],
                _ERRORS,
            ),
            lines(
                "Alerts sent and dropped",
                "Alerts that Loki sent to Alertmanager, could not send, or gave up.",
                [
                    prom(or_zero(rate.format(what=f"notifications_{what}"), "pod"), f"{what} {{{{pod}}}}")
                    for what in ("sent", "errors", "dropped")
                ],
                _RATE,
            ),
        ),
    )


def _notifications() -> Row:
    used = "and on (integration) sum by (integration) (alertmanager_notifications_total) > 0"
    total = "sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval]))"
    failed = "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))"
    slow = quantile(0.95, "alertmanager_notification_latency_seconds_bucket", "integration")
    received = "sum by (status) (rate(alertmanager_alerts_received_total[$__rate_interval]))"
    suppressed = "sum by (reason) (rate(alertmanager_notifications_suppressed_total[$__rate_interval]))"
    return row(
        "4. Alertmanager notifies",
        line(
            lines(
                "Alerts received",
                "Alerts that the replicas got, firing and resolved. Every replica gets every alert.",
                [prom(received, "{{status}}")],
                _RATE,
            ),
            lines(
                "Notifications by channel kind",
                "Notifications per second, by the kind of receiver; kinds that never sent one are left out.",
                [prom(f"{total}\n{used}", "{{integration}}")],
                _RATE,
            ),
            lines(
                "Failed notifications",
                "Notifications that could not be delivered after all repetitions, by the kind of receiver.",
                [prom(f"{failed}\n{used}", "{{integration}}")],
                _ERRORS,
            ),
        ),
        line(
            lines(
                "Notification time",
                "95 % of the notifications were taken by the receiver within this time.",
                [prom(f"(\n  {slow}\n)\n{used}", "{{integration}} p95")],
                Look(unit=units.SECONDS),
            ),
            lines(
                "Suppressed",
                "Notifications held back by silences, inhibition or mute times.",
                [prom(or_zero(suppressed, "reason"), "{{reason}}")],
                _RATE,
            ),
            lines(
                "Alerts held",
                "What the replicas hold: active alerts notify, suppressed ones do not. The replicas should agree.",
                [prom("sum by (pod, state) (alertmanager_alerts)", "{{pod}} {{state}}")],
                Look(unit=units.EXACT),
            ),
        ),
        line(
            log_lines(
                "Log of the pipeline",
                "Warnings and errors of Prometheus and Alertmanager, those of Loki about rules and alerts, and when a "
                "configuration was read. No line at all is good.",
                logs(_PIPELINE_LOG),
            ),
        ),
    )


def _cluster() -> Row:
    gossip = "sum by (pod) (rate(alertmanager_cluster_messages_{what}_total[$__rate_interval]))"
    return row(
        "5. The replicas agree on who notifies",
        line(
            lines(
                "Cluster members",
                "Replicas that each replica sees, itself included. Different numbers mean a split: duplicates.",
                [prom("max by (pod) (alertmanager_cluster_members)", "{{pod}}")],
                Look(unit=units.EXACT),
            ),
            lines(
                "Failed peers",
                "Replicas that a replica lost. A few minutes during a roll-out are normal.",
                [prom("max by (pod) (alertmanager_cluster_failed_peers)", "{{pod}}")],
                Look(unit=units.EXACT, limits=Limits(warning=1, why="a lost replica can notify a second time.")),
            ),
            lines(
                "Gossip",
                "Messages between the replicas about notifications and silences.",
                [prom(gossip.format(what=what), f"{what} {{{{pod}}}}") for what in ("sent", "received")],
                _RATE,
            ),
        ),
    )
