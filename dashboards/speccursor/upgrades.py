"""SpecCursor - Upgrade Metrics: success and duration of upgrades, failures by ecosystem."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import buckets, lines, single
from dashboards.builder.queries import percentiles, prom, quantile, share
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values
from dashboards.speccursor import signals

_HERE = signals.HERE
_OF = f'{_HERE}, ecosystem=~"$ecosystem"'
_BUCKETS = f"upgrade_duration_seconds_bucket{{{_OF}}}"
_RATIO = f"speccursor:upgrade_failures:ratio_rate1h{{{_HERE}}}"
_FAILED_LIMITS = Limits(
    warning=0.01,
    why="SpecCursorUpgradeFailureRateAnomalous alerts above 1 % within an hour, when that is also more than usual.",
)


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-upgrades",
        shows="Upgrade Metrics",
        purpose="Success and duration of upgrades, and failures by ecosystem. The failure ratio is compared with its "
        "own last 7 days, as in the alert.",
        runbooks=["SpecCursorUpgradeFailureRateAnomalous"],
        logs='{namespace=~"${namespace:pipe}", service=~"controller|rust-worker"}',
    )
    variables = [
        signals.namespace(),
        label_values("ecosystem", "ecosystem", f"upgrades_total{{{_HERE}}}"),
    ]
    return dashboard(about, variables, [_now(), _usual(), _results(), _time()])


def _upgrades(status: str = "", by: str = "", window: str = "$__rate_interval") -> str:
    clause = f" by ({by})" if by else ""
    matcher = f', status="{status}"' if status else ""
    return f"sum{clause} (rate(upgrades_total{{{_OF}{matcher}}}[{window}]))"


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "Upgrades",
                "Finished upgrades per second, failed ones included.",
                prom(_upgrades(), "upgrades"),
                Look(unit=units.PER_SECOND),
            ),
            single(
                "Success rate",
                "Share of the upgrades of the last hour that succeeded.",
                prom(share(_upgrades("success", window="1h"), _upgrades(window="1h")), "succeeded"),
                Look(
                    unit=units.RATIO,
                    decimals=1,
                    limits=Limits(warning=0.99, critical=0.9, low_is_bad=True, why="1 % fails on a normal day."),
                ),
            ),
            single(
                "Median duration",
                "Half of the upgrades finish within this time.",
                prom(quantile(0.5, _BUCKETS), "p50"),
                Look(unit=units.SECONDS),
            ),
            single(
                "p95 duration",
                "95 % of the upgrades finish within this time.",
                prom(quantile(0.95, _BUCKETS), "p95"),
                Look(unit=units.SECONDS),
            ),
            height=4,
        ),
    )


def _usual() -> Row:
    band = f"avg_over_time({_RATIO}[7d]) + stddev_over_time({_RATIO}[7d])"
    queries = [
        prom(_RATIO, "failed within 1 h, {{namespace}}"),
        prom(f"avg_over_time({_RATIO}[7d])", "mean of 7 days, {{namespace}}"),
        prom(band, "mean + 1 standard deviation, {{namespace}}"),
    ]
    return row(
        "Against the last 7 days",
        line(
            lines(
                "Failure ratio against its usual band",
                "Share of the upgrades of all ecosystems that failed within an hour, and its usual range: mean plus "
                "one standard deviation over the last 7 days.",
                queries,
                Look(unit=units.RATIO, limits=_FAILED_LIMITS),
            ),
            lines(
                "Failure ratio by ecosystem",
                "Share of the upgrades of the hour before each point that failed. If only one ecosystem is affected, "
                "look at its registry or toolchain; if all are, at the model, the sandbox and the controller.",
                [
                    prom(
                        share(_upgrades("failure", "ecosystem", "1h"), _upgrades("", "ecosystem", "1h")),
                        "{{ecosystem}}",
                    )
                ],
                Look(unit=units.RATIO, limits=_FAILED_LIMITS),
            ),
            height=10,
        ),
    )


def _results() -> Row:
    all_of = _upgrades("", "ecosystem", "$__range")
    spent = f"sum by (ecosystem) (rate(upgrade_duration_seconds_sum{{{_OF}}}[$__range]))"
    counted = f"sum by (ecosystem) (rate(upgrade_duration_seconds_count{{{_OF}}}[$__range]))"
    columns = [
        Column(title="Upgrades", expression=all_of, unit=units.PER_SECOND),
        Column(
            title="Failed", expression=share(_upgrades("failure", "ecosystem", "$__range"), all_of), unit=units.RATIO
        ),
        Column(title="Mean time", expression=f"{spent} / {counted}", unit=units.SECONDS),
    ]
    return row(
        "Results",
        line(
            lines(
                "Upgrades by status",
                "Upgrades per second that succeeded and that failed.",
                [prom(_upgrades(by="status"), "{{status}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            lines(
                "Upgrades by ecosystem",
                "Upgrades per second.",
                [prom(_upgrades(by="ecosystem"), "{{ecosystem}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            ranking(
                "Ecosystems",
                "Ecosystems by upgrades per second over the whole time range.",
                columns,
                {"ecosystem": "Ecosystem"},
            ),
            widths=(7, 7, 10),
        ),
    )


def _time() -> Row:
    return row(
        "Duration",
        line(
            lines(
                "Duration by ecosystem",
                f"50 % and 95 % of the upgrades finish within this time. Points link to traces. {KEPT_TRACES}",
                percentiles(_BUCKETS, "ecosystem", 50, 95),
                Look(unit=units.SECONDS),
            ),
            lines(
                "p95 by service and status",
                "95 % of the upgrades leave a service within this time. The slowest failures are timeouts.",
                [prom(quantile(0.95, _BUCKETS, "service, status"), "{{service}} {{status}}")],
                Look(unit=units.SECONDS),
            ),
            buckets(
                "Distribution of the duration",
                "Upgrades by duration. Two bands indicate two types of upgrades, which a percentile hides.",
                _BUCKETS,
            ),
        ),
    )
