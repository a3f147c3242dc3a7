"""Queries of a panel, in the query language of their data source."""

from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Literal

from grafana_foundation_sdk.builders import loki as loki_builder
from grafana_foundation_sdk.builders import prometheus as prometheus_builder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from alerting import counting
from dashboards.builder.sources import LOKI, PROMETHEUS, Source

ERRORS = 'level=~"(?i)err(or)?|fatal|crit(ical)?|panic"'
"""LogQL: keeps errors, however a program writes their level; the same as in alerts on log lines."""
WARNINGS = 'level=~"(?i)warn(ing)?|err(or)?|fatal|crit(ical)?|panic"'
"""LogQL: keeps warnings and errors."""

Form = Literal["series", "last", "heatmap", "table"]
_FORMATS = {"heatmap": PromQueryFormat.HEATMAP, "table": PromQueryFormat.TABLE}


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query; `legend` is Grafana's template over its labels."""

    source: Source
    expression: str
    legend: str
    form: Form
    exemplars: bool = False

    def build(self, ref: str) -> Builder[Dataquery]:
        """The query as an SDK object, with the letter `ref` in its panel."""
        return _loki(self, ref) if self.source is LOKI else _prometheus(self, ref)


def prom(expression: str, legend: str) -> Query:
    """PromQL over the time range."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="series")


def prom_exemplars(expression: str, legend: str) -> Query:
    """PromQL over the time range, with the exemplars of its buckets: points that link to traces."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="series", exemplars=True)


def prom_last(expression: str, legend: str) -> Query:
    """PromQL at the end of the time range."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=legend, form="last")


def prom_buckets(buckets: str) -> Query:
    """The growth of a histogram's buckets, for a heatmap. `buckets` selects its `_bucket` series.

    Without exemplars, because their points would cover the cells.
    """
    expression = f"sum by (le) (increase({buckets}[$__rate_interval]))"
    return Query(source=PROMETHEUS, expression=expression, legend="{{le}}", form="heatmap")


def prom_table(expression: str, column: str) -> Query:
    """PromQL at the end of the time range, as a column of a table."""
    return Query(source=PROMETHEUS, expression=_text(expression), legend=column, form="table")


def logs(expression: str) -> Query:
    """LogQL that returns log lines."""
    return Query(source=LOKI, expression=_text(expression), legend="lines", form="series")


def containing(expression: str, search: str) -> str:
    """LogQL that keeps the lines with the text that people type into the search field `search`, whatever it is.

    In backticks, and inserted as it was typed: a line is JSON, so its pieces have quotes and backslashes. A text with a
    backtick is the one that LogQL cannot search for this way.
    """
    return f"{_text(expression)} |= `${{{search}:raw}}`"


def log_rate(expression: str, legend: str) -> Query:
    """LogQL that returns numbers over the time range."""
    return Query(source=LOKI, expression=_text(expression), legend=legend, form="series")


def or_zero(expression: str, by: str = "") -> str:
    """The expression, or 0 if its result is empty: for counters that only exist after their first event.

    The 0 never appears beside other series; with `by` its label has the value `none`. Such a panel cannot show whether
    the metric exists at all; `check-queries` checks that.
    """
    zero = f'label_replace(vector(0), "{by}", "none", "", "")' if by else "vector(0)"
    return f"{_text(expression)}\nor on ()\n{zero}"


def or_nothing(query: Query) -> Query:
    """The query with NaN where it has no result; without change if it has a value for that."""
    if "vector(" in query.expression:
        return query
    return replace(query, expression=f"{query.expression}\nor on ()\nvector(NaN)")


def now(query: Query) -> Query:
    """The query at the end of the time range only."""
    return replace(query, form="last")


def quantile(level: float, buckets: str, by: str = "") -> str:
    """A quantile of a classic histogram. `buckets` selects its `_bucket` series; `by` lists more labels to keep."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({level:g}, sum by ({labels}) (rate({buckets}[$__rate_interval])))"


def percentiles(buckets: str, by: str = "", *levels: int) -> list[Query]:
    """Percentiles of a histogram. Only the last has exemplars, because all percentiles have the same."""
    name = "".join(f"{{{{{label}}}}} " for label in by.split(", ") if label)
    *first, last = [(quantile(level / 100, buckets, by), f"{name}p{level}") for level in levels or (50, 95, 99)]
    return [*(prom(expression, legend) for expression, legend in first), prom_exemplars(*last)]


def share(part: str, whole: str) -> str:
    """Part of the whole, 0 to 1; both have the same labels. A part without a series counts as 0."""
    return f"({_text(part)} or 0 * {_text(whole)}) / {_text(whole)}"


def ratio(metric: str, bad: str, of: str, by: str = "") -> str:
    """Share (0 to 1) of a counter's growth that matches `bad`, among its series that match `of`.

    `by` lists labels to keep. The result is 0 without a series that matches `bad`, and empty without traffic.
    """
    total = f"sum{_by(by)} (rate({metric}{{{of}}}[$__rate_interval]))"
    failed = f"sum{_by(by)} (rate({metric}{{{of}, {bad}}}[$__rate_interval]))"
    return share(failed, f"({total} > 0)")


def grown(counter: str, window: str, by: str = "") -> str:
    """What the selected counters have counted within the window, counted as alerts do; `by` lists labels to keep."""
    return counting.panel(counter, window, by)


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
    """Selector of an internal counter of the Collector.

    By default the Collector omits the suffix `_total`; the older version inside Jaeger appends it.
    """
    return f'{{__name__=~"otelcol_{metric}(_total)?"{", " if matchers else ""}{matchers}}}'
