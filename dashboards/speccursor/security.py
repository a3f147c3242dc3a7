"""SpecCursor - Security Metrics: forged webhooks, failed logins, suspicious requests, and log lines about them."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines, log_lines, single
from dashboards.builder.queries import containing, grown, log_rate, logs, or_zero, prom
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values, search
from dashboards.speccursor import signals

_HERE = signals.HERE
_SIGNATURES = f'webhook_signature_failures_total{{{_HERE}, source=~"$source"}}'
_LOGINS = f'auth_failures_total{{{_HERE}, service=~"$service"}}'
_REQUESTS = f'api_suspicious_requests_total{{{_HERE}, reason=~"$reason"}}'
_SIGNATURE_LIMITS = Limits(
    critical=5, why="SpecCursorWebhookSignatureFailures pages above 5 within 5 minutes: real senders sign correctly."
)
_LOGIN_LIMITS = Limits(warning=50, why="SpecCursorAuthFailuresHigh alerts above 50 within 5 minutes in one service.")
_REQUEST_LIMITS = Limits(warning=20, why="SpecCursorSuspiciousApiUsage alerts above 20 within 10 minutes.")
_WORDS = "(?i)signature|unauthorized|forbidden|authenticat|login|token (expired|rejected)|suspicious|rate.?limit"
_LOGS = f'{{{_HERE}}} |~ "{_WORDS}"'


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-security",
        shows="Security Metrics",
        purpose="Possible attacks: webhooks with a wrong signature, failed logins, suspicious requests. The panels "
        "show the numbers that the alerts use, so a line above its limit has notified somebody.",
        runbooks=["SpecCursorWebhookSignatureFailures", "SpecCursorSuspiciousApiUsage", "SpecCursorAuthFailuresHigh"],
        logs='{namespace=~"${namespace:pipe}"} |~ "(?i)signature|unauthorized|forbidden|suspicious"',
    )
    variables = [
        signals.namespace(),
        label_values("source", "source", f"webhook_signature_failures_total{{{_HERE}}}"),
        label_values("service", "service", f"auth_failures_total{{{_HERE}}}"),
        label_values("reason", "reason", f"api_suspicious_requests_total{{{_HERE}}}"),
        search("text", "Text, address or correlation id in logs"),
    ]
    return dashboard(about, variables, [_now(), _over_time(), _total(), _log()])


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "Wrong signatures, 5 minutes",
                "Webhooks with a wrong signature.",
                prom(or_zero(grown(_SIGNATURES, "5m")), "webhooks"),
                Look(unit=units.EXACT, decimals=0, limits=_SIGNATURE_LIMITS),
            ),
            single(
                "Failed logins, 5 minutes",
                "Failed logins to the service that has the most.",
                prom(or_zero(f"max({grown(_LOGINS, '5m', 'namespace, service')})"), "logins"),
                Look(unit=units.EXACT, decimals=0, limits=_LOGIN_LIMITS),
            ),
            single(
                "Suspicious requests, 10 minutes",
                "Requests that a filter classified as an attack.",
                prom(or_zero(grown(_REQUESTS, "10m")), "requests"),
                Look(unit=units.EXACT, decimals=0, limits=_REQUEST_LIMITS),
            ),
            single(
                "Lines about security",
                "Log lines per second about signatures, logins or refusals.",
                log_rate(or_zero(f"sum(rate({_LOGS} [5m]))"), "lines"),
                Look(unit=units.PER_SECOND),
            ),
            height=4,
        ),
    )


def _over_time() -> Row:
    return row(
        "Over time",
        line(
            lines(
                "Webhook signature failures by source",
                "Webhooks with a wrong signature in the 5 minutes before each point. If only one source is affected, "
                "its secret was changed on one side only. An unknown source is an attacker.",
                [prom(or_zero(grown(_SIGNATURES, "5m", "source"), "source"), "{{source}}")],
                Look(unit=units.EXACT, decimals=0, limits=_SIGNATURE_LIMITS),
            ),
            lines(
                "Authentication failures by service",
                "Failed logins in the 5 minutes before each point. If all services are affected, the identity provider "
                "failed or a credential expired; if only one is, somebody guesses passwords.",
                [prom(or_zero(grown(_LOGINS, "5m", "service"), "service"), "{{service}}")],
                Look(unit=units.EXACT, decimals=0, limits=_LOGIN_LIMITS),
            ),
            lines(
                "Suspicious requests by reason",
                "Requests in the 10 minutes before each point, by the reason for the suspicion. The alert counts all "
                "reasons together.",
                [prom(or_zero(grown(_REQUESTS, "10m", "reason"), "reason"), "{{reason}}")],
                Look(unit=units.EXACT, decimals=0, stacked=True, limits=_REQUEST_LIMITS),
            ),
        ),
    )


def _total() -> Row:
    ranked = (
        ("Sources", "Webhooks with a wrong signature, by source.", _SIGNATURES, "source"),
        ("Services", "Failed logins, by service.", _LOGINS, "service"),
        ("Reasons", "Suspicious requests, by reason.", _REQUESTS, "reason"),
    )
    return row(
        "Within the time range",
        line(
            *(
                ranking(
                    title,
                    what,
                    [Column(title="Events", expression=f"round({grown(counter, '$__range', by)})", unit=units.EXACT)],
                    {by: by.capitalize()},
                )
                for title, what, counter, by in ranked
            ),
            height=7,
        ),
    )


def _log() -> Row:
    return row(
        "Logs",
        line(
            lines(
                "Lines about security by service",
                "Lines per second about signatures, logins or refusals.",
                [log_rate(f"sum by (service) (rate({_LOGS} [$__interval]))", "{{service}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            log_lines(
                "Lines about security",
                "Lines about signatures, logins or refusals that contain the text above, newest first.",
                logs(containing(_LOGS, "text")),
            ),
            height=10,
            widths=(8, 16),
        ),
    )
