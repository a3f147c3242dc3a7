"""Variant Generator: success and duration of variants, failures by shape, waiting work."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES, explore_traces
from dashboards.builder.look import Look
from dashboards.builder.panels import buckets, lines, single
from dashboards.builder.queries import grown, or_zero, prom, prom_exemplars, prom_last, quantile, ratio, share
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values, namespace_of
from dashboards.media_upload import signals as media

_MADE = f'{media.HERE}, resolution=~"$resolution", aspect_ratio=~"$aspect_ratio"'
_FAILED = 'status="failure"'
_DURATION = f'variant_generation_duration_seconds_bucket{{{media.HERE}, resolution=~"$resolution"}}'


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-variants",
        title="Variant Generator",
        system="media-upload",
        purpose="Does the generator succeed, how long does a variant take, which resolutions and aspect ratios fail, "
        "and does work wait? No alert counts failed variants, so they only show here; a stalled generator fires "
        "ConsumerLag.",
        runbooks=["ConsumerLag"],
        logs='{namespace=~"${namespace:pipe}", service="variant-generator"}',
        links={"traces of variant-generator in Explore": explore_traces("variant-generator")}
        | media.places(without="media-variants"),
    )
    made = f"variant_generation_total{{{media.HERE}}}"
    variables = [
        namespace_of("media-upload", "variant_generation_total"),
        label_values("resolution", "resolution", made),
        label_values("aspect_ratio", "aspect_ratio", made),
        *media.log_variables(),
    ]
    rows = [_now(), _failures(), _rate(), _duration(), media.log_row("variant-generator")]
    return dashboard(about, variables, rows)


def _now() -> Row:
    failed = f"variant_generation_total{{{_MADE}, {_FAILED}}}"
    return row(
        "Now",
        line(
            single(
                "Failed of all",
                "Share of the variants that fail. Empty while no variants are generated.",
                prom(ratio("variant_generation_total", _FAILED, of=_MADE), "failed"),
                Look(unit=units.RATIO),
            ),
            single(
                "Failed variants",
                "Within the time range.",
                prom_last(or_zero(grown(failed, "$__range")), "failed"),
                Look(unit=units.EXACT, decimals=0),
            ),
            single(
                "Variants",
                "Variants per second, failed ones included.",
                prom(f"sum(rate(variant_generation_total{{{_MADE}}}[$__rate_interval]))", "variants"),
                Look(unit=units.PER_SECOND),
            ),
            single(
                "95th percentile",
                "95 % of the variants of the selected resolutions are generated within this time.",
                prom(quantile(0.95, _DURATION), "p95"),
                Look(unit=units.SECONDS),
            ),
            media.linked(media.pending_tile(), "Media Infrastructure", "media-infrastructure"),
            height=4,
        ),
    )


def _failures() -> Row:
    def failing(by: str) -> str:
        return ratio("variant_generation_total", _FAILED, of=_MADE, by=by)

    return row(
        "Failures",
        line(
            lines(
                "Error rate by aspect ratio",
                "Share of the variants of an aspect ratio that fail.",
                [prom(failing("aspect_ratio"), "{{aspect_ratio}}")],
                Look(unit=units.RATIO),
            ),
            lines(
                "Error rate by resolution",
                "Share of the variants of a resolution that fail.",
                [prom(failing("resolution"), "{{resolution}}")],
                Look(unit=units.RATIO),
            ),
            height=11,
        ),
    )


def _rate() -> Row:
    def rate(by: str) -> str:
        return f"sum by ({by}) (rate(variant_generation_total{{{_MADE}}}[$__rate_interval]))"

    labels = "resolution, aspect_ratio"
    made = f"sum by ({labels}) (rate(variant_generation_total{{{_MADE}}}[$__range]))"
    failed = f"sum by ({labels}) (rate(variant_generation_total{{{_MADE}, {_FAILED}}}[$__range]))"
    columns = [
        Column(title="Failed", expression=share(failed, made), unit=units.RATIO),
        Column(title="Variants", expression=made, unit=units.PER_SECOND),
    ]
    return row(
        "Rate",
        line(
            lines(
                "Generation rate by resolution",
                "Variants per second, failed ones included.",
                [prom(rate("resolution"), "{{resolution}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            lines(
                "Generation rate by status",
                "Variants per second.",
                [prom(rate("status"), "{{status}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            ranking(
                "Shapes",
                "Failures and number of variants by resolution and aspect ratio, over the whole time range.",
                columns,
                {"resolution": "Resolution", "aspect_ratio": "Aspect ratio"},
            ),
            height=11,
            widths=(7, 7, 10),
        ),
    )


def _duration() -> Row:
    return row(
        "Duration",
        line(
            lines(
                "Duration by resolution, p95",
                "95 % of the variants of a resolution are generated within this time. A point is one variant and links "
                f"to its trace. {KEPT_TRACES}",
                [prom_exemplars(quantile(0.95, _DURATION, "resolution"), "{{resolution}}")],
                Look(unit=units.SECONDS),
            ),
            lines(
                "Duration by resolution, median",
                "Half of the variants of a resolution are generated within this time.",
                [prom(quantile(0.5, _DURATION, "resolution"), "{{resolution}}")],
                Look(unit=units.SECONDS),
            ),
            buckets(
                "Distribution of the duration",
                "Variants by duration. Two bands indicate two types of work, which a percentile hides.",
                _DURATION,
            ),
            height=11,
        ),
    )
