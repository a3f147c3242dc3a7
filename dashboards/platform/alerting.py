"""Platform - Alerting Pipeline: from the evaluation of a rule to the notification."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, Limits, Look, Word
from dashboards.builder.panels import lines, log_lines, single
from dashboards.builder.queries import logs, or_zero, prom, quantile
from dashboards.platform import rule_steps as steps
from dashboards.platform import signals

_FINE = (Word(value=1, text="yes", colour=GOOD), Word(value=0, text="no", colour=CRITICAL))
# Loki writes levels in lower case, the other two in upper case. Of Loki's lines only those about alerts are relevant.
_PIPELINE_LOG = """
{app=~"alertmanager|prometheus|loki"}
  |~ "level=(WARN|ERROR)|level=(warn|error).*(?i:ruler|rule group|alert|notifier)|(Loading|Failed).*configuration file"
"""


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="platform-alerting",
        title="Platform - Alerting Pipeline",
        system="platform",
        purpose="The path of an alert: Prometheus and Loki evaluate rules and send alerts to every Alertmanager, and "
        "one Alertmanager notifies. Each row is one step; the first broken row is the cause.",
        runbooks=[
            "Watchdog",
            "TargetDown",
            "AlertsOnMissingMetrics",
            "PrometheusRuleFailures",
            "PrometheusConfigReloadFailed",
            "PrometheusRemoteWriteBehind",
            "AlertmanagerNotificationsFailing",
            "AlertmanagerClusterDegraded",
        ],
        logs='{app="alertmanager"}',
    )
    rows = [_heartbeat(), steps.evaluation(), steps.sending(), steps.loki_ruler(), _notifications(), _cluster()]
    return dashboard(about, [], rows)


def _heartbeat() -> Row:
    return row(
        "Whole chain",
        line(
            single(
                "Heartbeat",
                "Watchdog always fires. If it does not, no alert is reliable, and the dead man's switch outside the "
                "cluster must raise the alarm.",
                prom(or_zero('max(ALERTS{alertname="Watchdog", alertstate="firing"})'), "Watchdog fires"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            signals.alerts_firing(),
            single(
                "Alerts pending",
                "Alerts whose condition holds, but not yet for long enough. Only Prometheus' rules; Loki does not "
                "report pending alerts.",
                prom(or_zero('count(ALERTS{alertstate="pending"})'), "pending"),
                Look(unit=units.EXACT),
            ),
            single(
                "Silences",
                "Active silences; silenced alerts notify nobody.",
                prom('max(alertmanager_silences{state="active"})', "active"),
                Look(unit=units.EXACT, limits=Limits(warning=1, why="a forgotten silence hides real alerts.")),
            ),
            single(
                "Prometheus configuration",
                "Whether every server runs the newest configuration and rules; otherwise it keeps the old ones.",
                prom("min(prometheus_config_last_reload_successful)", "reloaded"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            single(
                "Alertmanager configuration",
                "Whether every replica runs the newest routes; otherwise it keeps the old ones.",
                prom("min(alertmanager_config_last_reload_successful)", "reloaded"),
                Look(unit=units.EXACT, words=_FINE),
            ),
            height=4,
        ),
        line(
            lines(
                "Alerts by name",
                "Pending and firing alerts of Prometheus' rules in all systems; one alert may have several instances. "
                "Alerts held, below, includes those of Loki.",
                [prom("count by (alertname, alertstate) (ALERTS)", "{{alertname}} {{alertstate}}")],
                Look(unit=units.EXACT, stacked=True),
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
                "Firing and resolved alerts per second. Every replica receives every alert.",
                [prom(received, "{{status}}")],
                steps.RATE,
            ),
            lines(
                "Notifications by channel kind",
                "Notifications per second, by type of receiver; types without any notification are left out.",
                [prom(f"{total}\n{used}", "{{integration}}")],
                steps.RATE,
            ),
            lines(
                "Failed notifications",
                "Notifications that failed after all retries, by type of receiver.",
                [prom(f"{failed}\n{used}", "{{integration}}")],
                steps.ERRORS,
            ),
        ),
        line(
            lines(
                "Notification time",
                "95 % of the notifications were accepted by the receiver within this time.",
                [prom(f"(\n  {slow}\n)\n{used}", "{{integration}} p95")],
                Look(unit=units.SECONDS),
            ),
            lines(
                "Suppressed",
                "Notifications held back by silences, inhibition or mute times.",
                [prom(or_zero(suppressed, "reason"), "{{reason}}")],
                steps.RATE,
            ),
            lines(
                "Alerts held",
                "Alerts in each replica: active alerts notify, suppressed ones do not. The replicas should agree.",
                [prom("sum by (pod, state) (alertmanager_alerts)", "{{pod}} {{state}}")],
                Look(unit=units.EXACT),
            ),
        ),
        line(
            log_lines(
                "Log of the pipeline",
                "Warnings and errors of Prometheus and Alertmanager, those of Loki about rules and alerts, and loaded "
                "configurations. No lines are normal.",
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
                "Replicas that each replica sees, itself included. Different numbers mean a split cluster, which sends "
                "duplicate notifications.",
                [prom("max by (pod) (alertmanager_cluster_members)", "{{pod}}")],
                Look(unit=units.EXACT),
            ),
            lines(
                "Failed peers",
                "Replicas that a replica lost contact with. A few minutes during a rollout are normal.",
                [prom("max by (pod) (alertmanager_cluster_failed_peers)", "{{pod}}")],
                Look(unit=units.EXACT, limits=Limits(warning=1, why="a lost replica can notify a second time.")),
            ),
            lines(
                "Gossip",
                "Messages between the replicas about notifications and silences.",
                [prom(gossip.format(what=what), f"{what} {{{{pod}}}}") for what in ("sent", "received")],
                steps.RATE,
            ),
        ),
    )
