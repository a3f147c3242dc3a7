"""SpecCursor - AI Performance: token usage, duration and failures of the models."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import buckets, dials, lines, single
from dashboards.builder.queries import grown, percentiles, prom, quantile, share
from dashboards.builder.variables import label_values
from dashboards.speccursor import signals

_HERE = signals.HERE
_OF_MODEL = f'{_HERE}, model=~"$model"'
_BUDGET = 1_000_000
_BUCKETS = f"ai_generation_seconds_bucket{{{_OF_MODEL}}}"
_TOKEN_LIMITS = Limits(
    warning=_BUDGET, why="SpecCursorTokenUsageHigh alerts above 1,000,000 tokens within an hour, all models together."
)
_SUCCESS_LIMITS = Limits(
    warning=0.99, critical=0.9, low_is_bad=True, why="every failed request is an upgrade without a patch."
)


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-ai",
        shows="AI Performance",
        purpose="Tokens that the models read and write, compared with the hourly budget; duration of generations; "
        "failed requests.",
        runbooks=["SpecCursorTokenUsageHigh"],
        logs='{namespace=~"${namespace:pipe}", service="ai-service"}',
    )
    variables = [signals.namespace(), label_values("model", "model", f"ai_tokens_total{{{_HERE}}}")]
    return dashboard(about, variables, [_now(), _tokens(), _requests(), _time(), signals.service_log("ai-service")])


def _succeeded(window: str = "$__rate_interval") -> str:
    requests = f"sum(rate(ai_requests_total{{{_HERE}%s}}[{window}]))"
    return share(requests % ', status="success"', requests % "")


def _now() -> Row:
    per_request = f"sum(rate(ai_tokens_total{{{_HERE}}}[1h])) / sum(rate(ai_requests_total{{{_HERE}}}[1h]))"
    return row(
        "Now",
        line(
            dials(
                "Tokens of the last hour",
                "Tokens read and written within the last hour, by all models, regardless of the selection.",
                prom(grown(f"ai_tokens_total{{{_HERE}}}", "1h", "namespace"), "{{namespace}}"),
                Look(unit=units.COUNT, maximum=1.5 * _BUDGET, limits=_TOKEN_LIMITS),
            ),
            single(
                "Tokens per request",
                "Mean of the last hour. A jump means a longer prompt or retries.",
                prom(per_request, "tokens"),
                Look(unit=units.COUNT),
            ),
            single(
                "Requests",
                "Requests to the models per second.",
                prom(f"sum(rate(ai_requests_total{{{_HERE}}}[$__rate_interval]))", "requests"),
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            single(
                "Success rate",
                "Share of the requests that were answered.",
                prom(_succeeded(), "answered"),
                Look(unit=units.RATIO, limits=_SUCCESS_LIMITS),
            ),
            single(
                "p95 generation time",
                "95 % of the generations of the selected models end within this time.",
                prom(quantile(0.95, _BUCKETS), "p95"),
                Look(unit=units.SECONDS, limits=signals.SLOW),
            ),
            height=6,
        ),
    )


def _tokens() -> Row:
    rate = f"sum by (model, direction) (rate(ai_tokens_total{{{_OF_MODEL}}}[$__rate_interval]))"
    return row(
        "Tokens",
        line(
            lines(
                "Tokens by model and direction",
                "Tokens per second that each model reads and writes.",
                [prom(rate, "{{model}} {{direction}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            lines(
                "Tokens of an hour",
                "Tokens of the hour before each point, of all models, regardless of the selection.",
                [prom(grown(f"ai_tokens_total{{{_HERE}}}", "1h", "namespace"), "{{namespace}}")],
                Look(unit=units.COUNT, limits=_TOKEN_LIMITS),
            ),
            lines(
                "Tokens of an hour by model",
                "Tokens of each model in the hour before each point.",
                [prom(grown(f"ai_tokens_total{{{_OF_MODEL}}}", "1h", "model"), "{{model}}")],
                Look(unit=units.COUNT, stacked=True),
            ),
        ),
    )


def _requests() -> Row:
    by_status = f"sum by (status) (rate(ai_requests_total{{{_HERE}}}[$__rate_interval]))"
    return row(
        "Requests",
        line(
            lines(
                "Requests by status",
                "Requests per second that were answered and that failed, all models together.",
                [prom(by_status, "{{status}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
            lines(
                "Success rate over time",
                "Share of the requests that were answered, over some minutes and over the hour before each point.",
                [prom(_succeeded(), "answered"), prom(_succeeded("1h"), "answered within 1 h")],
                Look(unit=units.RATIO, maximum=1, limits=_SUCCESS_LIMITS),
            ),
        ),
    )


def _time() -> Row:
    return row(
        "Generation time",
        line(
            lines(
                "Generation time by model",
                f"50 % and 95 % of the generations end within this time. Points link to traces. {KEPT_TRACES}",
                percentiles(_BUCKETS, "model", 50, 95),
                Look(unit=units.SECONDS, limits=signals.SLOW),
            ),
            buckets(
                "Distribution of the generation time",
                "Generations by duration. Two bands indicate two types of work, which a percentile hides.",
                _BUCKETS,
            ),
        ),
    )
