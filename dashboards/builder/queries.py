"""Queries of a panel, in the language of their data source."""

from dataclasses import dataclass
from textwrap import dedent
from typing import Literal

from grafana_foundation_sdk.builders import loki as loki_builder
from grafana_foundation_sdk.builders import prometheus as prometheus_builder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.builder.sources import LOKI, PROMETHEUS, Source

Form = Literal["series", "last", "heatmap", "table"]
_FORMATS = {"heatmap": PromQueryFormat.HEATMAP, "table": PromQueryFormat.TABLE}


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query; `legend` is Grafana's template over labels."""

    source: Source
    expression: str
    legend: str
    form: Form
    exemplars: bool = False

    def build(self, ref: str) -> Builder[Dataquery]:
        """The SDK's form of it, as query `ref` of its panel."""
        return _loki(self, ref) if self.source is LOKI else _prometheus(self, ref)


def prom(expression: str, legend: str) -> Query:
    """PromQL over the time range."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="series")


def prom_exemplars(expression: str, legend: str) -> Query:
    """PromQL over the time range, with the exemplars of its buckets: points that lead to traces."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="series", exemplars=True)


def prom_last(expression: str, legend: str) -> Query:
    """PromQL at the end of the time range."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="last")


def prom_buckets(expression: str) -> Query:
    """PromQL that keeps `le`: the rows of a heatmap. Without exemplars: their points would cover it."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend="{{le}}", form="heatmap")


def prom_table(expression: str, column: str) -> Query:
    """PromQL at the end of the time range, as a column of a table."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=column, form="table")


def logs(expression: str) -> Query:
    """LogQL that gives lines."""
    return Query(source=LOKI, expression=_text(expression), legend="lines", form="series")


def log_rate(expression: str, legend: str) -> Query:
    """LogQL that gives numbers over the time range."""
    return Query(source=LOKI, expression=_text(expression), legend=legend, form="series")


def or_zero(expression: str, by: str = "") -> str:
    """The expression, or 0 where it gives nothing at all: for things whose series only exist once they happened.

    The 0 is no row beside others, and where the legend shows label `by`, it says `none`. Whether the metric exists
    at all, a panel cannot say then; `check-queries` does.
    """
    zero = f'label_replace(vector(0), "{by}", "none", "", "")' if by else "vector(0)"
    return f"{_text(expression)}\nor on ()\n{zero}"


def quantile(level: float, buckets: str, by: str = "") -> str:
    """A quantile of a classic histogram: `buckets` is a selector of its `_bucket` series, `by` more labels to keep."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({level:g}, sum by ({labels}) (rate({buckets}[$__rate_interval])))"


def share(part: str, whole: str) -> str:
    """Part of the whole, 0 to 1, both summed by the same labels. Where the part has no series it counts as 0."""
    return f"({_text(part)} or 0 * {_text(whole)}) / {_text(whole)}"


def grown(counter: str, window: str, by: str = "") -> str:
    """How much the counters of a selector grew within the window, `by` labels to keep.

    A counter that was not there before grew from nothing to its largest value: `increase` alone misses its first step.
    """
    born = f"max_over_time({counter}[{window}]) unless last_over_time({counter}[1d] offset {window})"
    return f"sum{_by(by)} (({born}) or increase({counter}[{window}]))"


def counted(counter: str, window: str, by: str = "") -> str:
    """As `grown`, in whole numbers, as alerts on single events count; a counter may restart once within the window."""
    now = f"last_over_time({counter}[{window}])"
    return f"sum{_by(by)} (({now} - last_over_time({counter}[1d] offset {window})) >= 0 or {now})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def _prometheus(query: Query, ref: str) -> Builder[Dataquery]:
    target = (
        prometheus_builder.Dataquery()
        .expr(query.expression)
        .legend_format(query.legend)
        .ref_id(ref)
        .exemplar(query.exemplars)
        .datasource(query.source.ref)
    )
    target = target.instant() if query.form in ("last", "table") else target.range()
    return target.format(_FORMATS.get(query.form, PromQueryFormat.TIME_SERIES))


def _loki(query: Query, ref: str) -> Builder[Dataquery]:
    return (
        loki_builder.Dataquery()
        .expr(query.expression)
        .legend_format(query.legend)
        .query_type("range")
        .ref_id(ref)
        .datasource(query.source.ref)
    )


def _text(expression: str) -> str:
    return dedent(expression).strip()


def otelcol(metric: str, matchers: str = "") -> str:
    """Selector of a counter of the Collector's own.

    The Collector leaves `_total` away unless told otherwise; the older one inside Jaeger appends it.
    """
    return f'{{__name__=~"otelcol_{metric}(_total)?"{", " if matchers else ""}{matchers}}}'
