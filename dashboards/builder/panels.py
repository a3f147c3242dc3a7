"""Panels in a uniform style. Each function returns one panel without a position; `layout` adds that.

Panel types and options work with Grafana 9.4 and later. Titles are short; a description explains what the panel shows
and how to interpret unusual values.
"""

import string

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    gauge,
    heatmap,
    logs,
    stat,
    statetimeline,
    text,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import Panel as AnyPanel
from grafana_foundation_sdk.models import common as model
from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.text import TextMode

from dashboards.builder.look import Look
from dashboards.builder.queries import Query, log_rate, now, or_nothing, prom_buckets
from dashboards.builder.sources import LOKI, PROMETHEUS, Source
from dashboards.builder.units import PER_SECOND, SCALE, SECONDS

_LAST = "lastNotNull"
# The least step of a graph of log lines. In an hour Grafana takes steps of a few seconds, and a rate that jumps between
# one line and none is a grid of bars.
_LOG_STEP = "30s"


def lines(title: str, description: str, queries: list[Query], look: Look) -> Panel:
    """Values over time; the legend lists the maximum and the last value of each series."""
    builder = (
        timeseries.Panel()
        .unit(look.unit)
        .color_scheme(look.colour(by_series=True))
        .thresholds(look.thresholds())
        .mappings(look.mappings())
        .line_width(1)
        .fill_opacity(30 if look.stacked else 8)
        .show_points(model.VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(model.StackingMode.NORMAL if look.stacked else model.StackingMode.NONE))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                model.GraphThresholdsStyleMode.DASHED if look.limits else model.GraphThresholdsStyleMode.OFF
            )
        )
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(model.LegendDisplayMode.TABLE)
            .placement(model.LegendPlacement.BOTTOM)
            .calcs(["max", _LAST])
        )
        .tooltip(common.VizTooltipOptions().mode(model.TooltipDisplayMode.MULTI).sort(model.SortOrder.DESCENDING))
    )
    if look.minimum is not None:
        builder = builder.min(look.minimum)
    if look.maximum is not None:
        builder = builder.max(look.maximum)
    reach = look.at_least if look.at_least is not None else SCALE.get(look.unit)
    if reach is not None:
        builder = builder.axis_soft_max(reach)
    if look.decimals is not None:
        builder = builder.decimals(look.decimals)
    if any(query.source is LOKI for query in queries):
        builder = builder.interval(_LOG_STEP)
    return finish(builder.build(), title, _described(description, look), queries)


def single(title: str, description: str, query: Query, look: Look) -> Panel:
    """A panel with one number in the colour of its limits. Draws the past as a small graph if the query has a range.

    Such a number is that of now: without a result it says so, where Grafana would show the last result of the range.
    """
    query = or_nothing(query) if query.form == "series" else query
    graph = model.BigValueGraphMode.NONE if query.form == "last" or look.words else model.BigValueGraphMode.AREA
    builder = (
        stat.Panel()
        .unit(look.unit)
        .color_scheme(look.colour(by_series=False))
        .thresholds(look.thresholds())
        .mappings(look.mappings())
        .graph_mode(graph)
        .color_mode(model.BigValueColorMode.VALUE)
        .justify_mode(model.BigValueJustifyMode.AUTO)
        .text_mode(model.BigValueTextMode.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs([_LAST]).values(False))
    )
    if look.decimals is not None:
        builder = builder.decimals(look.decimals)
    return finish(builder.build(), title, _described(description, look), [query])


def dials(title: str, description: str, query: Query, look: Look) -> Panel:
    """One dial per series, from the look's minimum to its maximum, with its value of now."""
    builder = (
        gauge.Panel()
        .unit(look.unit)
        .color_scheme(look.colour(by_series=False))
        .thresholds(look.thresholds())
        .show_threshold_labels(False)
        .show_threshold_markers(True)
        .min(look.minimum or 0)
        .reduce_options(common.ReduceDataOptions().calcs([_LAST]).values(False))
    )
    if look.maximum is not None:
        builder = builder.max(look.maximum)
    return finish(builder.build(), title, _described(description, look), [now(query)])


def bars(title: str, description: str, query: Query, look: Look) -> Panel:
    """One bar per series with its name and its value of now; for more series than fit as dials."""
    builder = (
        bargauge.Panel()
        .unit(look.unit)
        .color_scheme(look.colour(by_series=False))
        .thresholds(look.thresholds())
        .display_mode(model.BarGaugeDisplayMode.BASIC)
        .orientation(model.VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .min(look.minimum or 0)
        .reduce_options(common.ReduceDataOptions().calcs([_LAST]).values(False))
    )
    if look.maximum is not None:
        builder = builder.max(look.maximum)
    if look.decimals is not None:
        builder = builder.decimals(look.decimals)
    return finish(builder.build(), title, _described(description, look), [now(query)])


def buckets(title: str, description: str, series: str) -> Panel:
    """A heatmap of durations: the number of observations in each bucket. `series` selects `_bucket` series."""
    builder = (
        heatmap.Panel()
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").exponent(0.5).steps(64))
        .y_axis(heatmap.YAxisConfig().unit(SECONDS).axis_placement(model.AxisPlacement.LEFT))
        .cell_gap(1)
        # Cells with smaller values are not drawn, so empty buckets stay empty.
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .unit(SECONDS)
        .show_legend()
    )
    return finish(builder.build(), title, description, [prom_buckets(series)])


def states(title: str, description: str, queries: list[Query], look: Look, *, legend: bool = True) -> Panel:
    """One band per series, coloured by state; the words of `look` name the states, in the legend, too."""
    builder = (
        statetimeline.Panel()
        .unit(look.unit)
        .color_scheme(look.colour(by_series=False))
        .thresholds(look.thresholds())
        .mappings(look.mappings())
        .fill_opacity(75)
        .line_width(0)
        .row_height(0.85)
        .merge_values(True)
        .show_value(model.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .show_legend(legend)
            .display_mode(model.LegendDisplayMode.LIST)
            .placement(model.LegendPlacement.BOTTOM)
        )
    )
    return finish(builder.build(), title, _described(description, look), queries)


def log_lines(title: str, description: str, query: Query) -> Panel:
    """Log lines, newest first; an opened line shows its fields and a link to its trace."""
    builder = (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .prettify_log_message(False)
        .sort_order(model.LogsSortOrder.DESCENDING)
        .unit("string")
    )
    return finish(builder.build(), title, description, [query])


def log_levels(selector: str) -> Panel:
    """Rate of log lines by level; `selector` is LogQL without a range."""
    rate = log_rate(f"sum by (level) (rate({selector} [$__interval]))", "{{level}}")
    return lines("Log lines by level", "Lines per second.", [rate], Look(unit=PER_SECOND, stacked=True))


def text_panel(title: str, markdown: str) -> Panel:
    """A Markdown text, which may use the dashboard's variables."""
    panel = text.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown).build()
    panel.description = "Purpose of this dashboard, and links to related pages."
    return panel


def alerts_of(title: str, description: str, labels: str) -> Panel:
    """Pending and firing alerts that match `labels` ({name="value"}), from every rule source of this Grafana."""
    builder = (
        AnyPanel()
        .type("alertlist")
        .unit("none")
        .options(
            {
                "alertInstanceLabelFilter": labels,
                "dashboardAlerts": False,
                "groupBy": [],
                "groupMode": "default",
                "maxItems": 20,
                "sortOrder": 3,  # by importance
                "stateFilter": {"error": True, "firing": True, "noData": False, "normal": False, "pending": True},
                "viewMode": "list",
            }
        )
    )
    return finish(builder.build(), title, description, [], source=PROMETHEUS)


def over(panel: Panel, past: str) -> Panel:
    """The same panel with a fixed time range up to now, such as 30d, independent of the dashboard's range."""
    panel.time_from = past
    return panel


def _described(description: str, look: Look) -> str:
    return f"{description} Limits: {look.limits.why}" if look.limits else description


def finish(panel: Panel, title: str, description: str, queries: list[Query], *, source: Source | None = None) -> Panel:
    """Adds what every panel has: title, description, data source, and queries A, B, C in order."""
    panel.title = title
    panel.description = description
    panel.datasource = (source or queries[0].source).ref
    built = [query.build(ref).build() for query, ref in zip(queries, string.ascii_uppercase, strict=False)]
    panel.targets = built or None
    return panel
