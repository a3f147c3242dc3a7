"""Platform - SLOs: objectives, remaining error budgets, burn rates."""

from typing import Any

from grafana_foundation_sdk.models.dashboard import Panel, ValueMap, ValueMappingResult

from alerting.files import RULES
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
# Computed from the budget, because names of the ratio's series contain the window, which differs between SLOs.
_GOOD = f"1 - (1 - {_OBJECTIVE}) * (1 - {_REMAINING})"
_ALERTS = ("BudgetBurnFast", "BudgetBurnSlow", "MetricsMissing")
"""Suffixes of the names of an SLO's alerts."""
_LEFT = Limits(
    warning=0.25,
    critical=0,
    low_is_bad=True,
    why="in the last quarter of the budget, postpone risky changes; below 0 the objective is missed.",
)

_NEVER = 100 * 365 * 86400  # seconds; stands for "never"


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="platform-slos",
        title="Platform - SLOs",
        system="platform",
        purpose="Service level objectives, their remaining error budgets, and how fast these are spent. "
        "A burn rate of 1 spends the budget exactly within the SLO's window.",
        runbooks=_runbooks(),
        logs='{namespace="media"}',
        links={"uploads": "/d/media-uploads", "gateway": "/d/media-gateway", "cluster": "/d/kubernetes-cluster"},
        alerts='slo=~".+"',
    )
    variables = [label_values("slo", "slo", "slo:objective:ratio", only_these=True)]
    return dashboard(about, variables, [_now(), _budget(), _burning(), _events()])


def _runbooks() -> list[str]:
    """Alerts of all SLOs, derived from the names of the runbooks, so that a new SLO needs no change here."""
    files = (RULES / "runbooks").glob("*.md")
    return sorted(file.stem for file in files if file.stem.endswith(_ALERTS))


def _burn(window: str) -> str:
    """Error ratio of the last `window` as a multiple of the ratio that the objective allows."""
    return f"{_KEEP} (slo:errors:ratio_rate{window}{_OF}) / (1 - {_OBJECTIVE})"


def _now() -> Row:
    columns = [
        Column(title="Budget left", expression=_REMAINING, unit=units.RATIO),
        Column(title="Objective", expression=_OBJECTIVE, unit=units.RATIO, decimals=2),
        Column(title="Good so far", expression=_GOOD, unit=units.RATIO, decimals=3),
        Column(title="Days", expression=f"{_KEEP} (slo:window:seconds{_OF} / 86400)", unit=units.EXACT),
    ]
    return row(
        "Now",
        line(
            single(
                "Objectives",
                "Number of service level objectives.",
                prom(or_zero(f"count({_OBJECTIVE})"), "objectives"),
                Look(unit=units.EXACT),
            ),
            single(
                "Missed",
                "Objectives whose error budget is overspent.",
                prom(or_zero(f"count({_REMAINING} < 0)"), "missed"),
                Look(unit=units.EXACT, limits=Limits(critical=1, why="no objective should be missed.")),
            ),
            single(
                "Burning",
                "Objectives whose burn rate over the last hour is above 1.",
                prom(or_zero(f"count({_burn('1h')} > 1)"), "burning"),
                Look(
                    unit=units.EXACT,
                    limits=Limits(warning=1, why="above 1 the budget does not last; the limits of pages are below."),
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
                "The objective, the share of good events over the SLO's window, and the rest of the error budget: "
                "100 % is unspent, below 0 is overspent. Empty without events.",
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
    """Seconds until each budget is spent at the burn rate of the last hour; no result at a rate of 1 or less."""
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
                    "Always the last 30 days. A steep drop is an incident, a slope is a constant rate of errors.",
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
                "Time until each budget is spent, at the burn rate of the hour before each point. SLOs whose budget "
                "lasts have no line.",
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
                    f"The window of {longer} shows how much budget is spent, {shorter} whether errors continue.",
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
                "Share of the events that were bad; no line without events.",
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
                "Events per second that spend the budget.",
                [prom(f"{_KEEP} (slo:errors:rate5m{_OF})", "{{slo}}")],
                Look(unit=units.PER_SECOND),
            ),
        ),
    )


def _gone_first() -> Panel:
    panel = single(
        "First budget gone in",
        "Time until the first budget is spent, at the burn rate of the last hour.",
        prom_last(f"min({_gone()}) or on () vector({_NEVER})", "left"),
        Look(
            unit=units.SECONDS,
            decimals=1,
            limits=Limits(critical=86400, warning=604800, low_is_bad=True, why="a day is an emergency, a week a plan."),
        ),
    )
    if panel.field_config:
        # Without this value and its text, an empty result would get the colour of an emergency.
        words = ValueMappingResult(text="not burning", color=GOOD)
        panel.field_config.defaults.mappings = [ValueMap(options={str(_NEVER): words})]
    return panel
