"""Platform - SLOs: what each service level objective promises, how much error budget is left, how fast it goes."""

from pathlib import Path
from typing import Any

from grafana_foundation_sdk.models.dashboard import Panel, ValueMap, ValueMappingResult

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, Limits, Look, Word
from dashboards.builder.panels import dials, lines, over, single, states
from dashboards.builder.queries import or_zero, prom, prom_last
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values

_OF = '{slo=~"$slo"}'
_KEEP = "max by (slo, system)"
_OBJECTIVE = f"{_KEEP} (slo:objective:ratio{_OF})"
_REMAINING = f"{_KEEP} (slo:budget_remaining:ratio{_OF})"
# From the budget: this way it needs no series whose name holds the window, which each SLO chooses itself.
_GOOD = f"1 - (1 - {_OBJECTIVE}) * (1 - {_REMAINING})"
_ALERTS = ("BudgetBurnFast", "BudgetBurnSlow", "MetricsMissing")
"""Ends of the names of an SLO's alerts."""
_LEFT = Limits(
    warning=0.25,
    critical=0,
    low_is_bad=True,
    why="in the last quarter of the budget a risky change can wait; below 0 the objective is missed.",
)

_NEVER = 100 * 365 * 86400  # seconds: in place of a time that there is not


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="platform-slos",
        title="Platform - SLOs",
        system="platform",
        purpose="What each service level objective promises, how much of its error budget is left, and how fast it is "
        "being used up. A burn rate of 1 uses up the budget exactly within the SLO's window.",
        runbooks=_runbooks(),
        logs='{namespace="media"}',
        links={"uploads": "/d/media-uploads", "gateway": "/d/media-gateway"},
        alerts='slo=~".+"',
    )
    variables = [label_values("slo", "slo", "slo:objective:ratio", only_these=True)]
    return dashboard(about, variables, [_now(), _budget(), _burning(), _events()])


def _runbooks() -> list[str]:
    """Alerts of all SLOs, from the runbooks that there are: a new SLO brings its own."""
    files = (Path(__file__).resolve().parent.parent.parent / "rules/runbooks").glob("*.md")
    return sorted(file.stem for file in files if file.stem.endswith(_ALERTS))


def _burn(window: str) -> str:
    """Errors of the last `window` as a multiple of those that the objective allows."""
    return f"{_KEEP} (slo:errors:ratio_rate{window}{_OF}) / (1 - {_OBJECTIVE})"


def _now() -> Row:
    columns = [
        Column(title="Budget left", expression=_REMAINING, unit=units.RATIO),
        Column(title="Objective", expression=_OBJECTIVE, unit=units.RATIO, decimals=2),
        Column(title="Good so far", expression=_GOOD, unit=units.RATIO, decimals=3),
        Column(title="Window", expression=f"{_KEEP} (slo:window:seconds{_OF})", unit=units.SECONDS),
    ]
    return row(
        "Now",
        line(
            single(
                "Objectives",
                "Service level objectives that are measured.",
                prom(or_zero(f"count({_OBJECTIVE})"), "objectives"),
                Look(unit=units.EXACT),
            ),
            single(
                "Missed",
                "Objectives whose budget is used up.",
                prom(or_zero(f"count({_REMAINING} < 0)"), "missed"),
                Look(unit=units.EXACT, limits=Limits(critical=1, why="one that is missed is a broken promise.")),
            ),
            single(
                "Burning",
                "Objectives whose errors of the last hour come faster than the budget allows.",
                prom(or_zero(f"count({_burn('1h')} > 1)"), "burning"),
                Look(
                    unit=units.EXACT,
                    limits=Limits(warning=1, why="at this rate the budget does not last; whether it pages, see below."),
                ),
            ),
            single(
                "Least budget left",
                "The SLO with the least budget left.",
                prom(f"min({_REMAINING})", "left"),
                Look(unit=units.RATIO, minimum=None, decimals=1, limits=_LEFT),
            ),
            _gone_first(),
            height=4,
        ),
        line(
            ranking(
                "Objectives and budgets",
                "What is promised, the share that was good over the SLO's window, and what is left of the budget: "
                "100 % is untouched, below 0 is overspent. While there are no events there is no value.",
                columns,
                {"slo": "SLO", "system": "System"},
                smallest_first=True,
                wide="SLO",
            ),
            dials(
                "Budget left by SLO",
                "Share of each error budget that is left.",
                prom(_REMAINING, "{{slo}}"),
                Look(unit=units.RATIO, maximum=1, decimals=1, limits=_LEFT),
            ),
            widths=(16, 8),
            height=7,
        ),
    )


def _gone() -> str:
    """Seconds until each budget is gone at the rate of the last hour; nothing where it lasts."""
    burning = f"({_burn('1h')} > 1)"
    return f"clamp_min({_REMAINING}, 0) * {_KEEP} (slo:window:seconds{_OF}) / {burning}"


def _budget() -> Row:
    words = (Word(value=1, text="within objective", colour=GOOD), Word(value=0, text="missed", colour=CRITICAL))
    return row(
        "Budget",
        line(
            over(
                lines(
                    "Budget left over 30 days",
                    "Always the last 30 days. A cliff is an incident, a slope is errors that never end.",
                    [prom(_REMAINING, "{{slo}}")],
                    Look(unit=units.RATIO, minimum=None, maximum=1, limits=_LEFT),
                ),
                "30d",
            ),
            over(
                states(
                    "Objective met",
                    "Always the last 30 days: whether the objective was met over its window before each point.",
                    [prom(f"{_REMAINING} >= bool 0", "{{slo}}")],
                    Look(unit=units.EXACT, words=words),
                ),
                "30d",
            ),
            lines(
                "Budget gone in",
                "Time until each budget is used up, if errors go on to come as in the hour before each point. An SLO "
                "whose budget lasts has no line.",
                [prom(_gone(), "{{slo}}")],
                Look(unit=units.SECONDS),
            ),
            widths=(9, 6, 9),
        ),
    )


def _burning() -> Row:
    pairs = (
        (
            "1h",
            "5m",
            Limits(critical=14.4, why="…BudgetBurnFast pages above 14.4 over both: 2 % of 30 days in an hour."),
        ),
        (
            "6h",
            "30m",
            Limits(critical=6, why="…BudgetBurnFast pages above 6 over both, too: 5 % of 30 days in 6 hours."),
        ),
        ("3d", "6h", Limits(warning=1, why="…BudgetBurnSlow alerts above 1 over both: 10 % of 30 days in 3 days.")),
    )
    return row(
        "Burn rate: errors as a multiple of what the objective allows",
        line(
            *(
                lines(
                    f"Over {longer} and {shorter}",
                    f"The window of {longer} says how much is lost, that of {shorter} whether it goes on.",
                    [prom(_burn(window), f"{{{{slo}}}} {window}") for window in (longer, shorter)],
                    Look(unit=units.COUNT, at_least=1, limits=limits),
                )
                for longer, shorter, limits in pairs
            ),
        ),
    )


def _events() -> Row:
    return row(
        "Events",
        line(
            lines(
                "Error ratio of 5 minutes",
                "Share of the events that were bad; no line while nothing happens.",
                [prom(f"{_KEEP} (slo:errors:ratio_rate5m{_OF})", "{{slo}}")],
                Look(unit=units.RATIO),
            ),
            lines(
                "Events counted",
                "Events per second that the objective counts.",
                [prom(f"{_KEEP} (slo:total:rate5m{_OF})", "{{slo}}")],
                Look(unit=units.PER_SECOND),
            ),
            lines(
                "Bad events",
                "Events per second that use up the budget.",
                [prom(f"{_KEEP} (slo:errors:rate5m{_OF})", "{{slo}}")],
                Look(unit=units.PER_SECOND),
            ),
        ),
    )


def _gone_first() -> Panel:
    panel = single(
        "First budget gone in",
        "Time until the first budget is used up, if errors go on to come as in the last hour.",
        prom_last(f"min({_gone()}) or on () vector({_NEVER})", "left"),
        Look(
            unit=units.SECONDS,
            decimals=1,
            limits=Limits(critical=86400, warning=604800, low_is_bad=True, why="a day is an emergency, a week a plan."),
        ),
    )
    if panel.field_config:
        # Without any value it would stand there in the colour of an emergency.
        words = ValueMappingResult(text="not burning", color=GOOD)
        panel.field_config.defaults.mappings = [ValueMap(options={str(_NEVER): words})]
    return panel
