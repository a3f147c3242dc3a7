"""Assembles a dashboard: the parts that all dashboards share, around the rows of one."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, cast

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardDashboardTemplating,
    Panel,
    VariableModel,
)

from dashboards.builder import absence, annotations, drilldown, variables
from dashboards.builder.layout import Row, line, place, row
from dashboards.builder.links import TAG, dashboards_with, explore_logs, kept, runbook
from dashboards.builder.look import CRITICAL, GOOD, WARNING, Look, Word
from dashboards.builder.panels import alerts_of, states, text_panel
from dashboards.builder.queries import prom
from dashboards.builder.sources import JAEGER, LOKI, PROMETHEUS
from dashboards.builder.units import EXACT

_RANGE, _REFRESH = "now-1h", "30s"
NAMESPACE = "namespace"
"""Name of the variable that links from one dashboard to another keep."""
# Characters per line of the text; then heights in pixels: a line, title and paragraph gaps together, a grid unit.
_LETTERS, _LINE, _FRAME, _GRID_UNIT = 182, 22, 92, 38
# Numbers begin in the upper third of a laptop's screen; more bands would have names on top of each other there.
_ALERTS_HEIGHT, _BANDS = 4, 4


@dataclass(frozen=True, kw_only=True)
class About:
    """Identity, purpose and header links of a dashboard."""

    uid: str
    title: str
    system: str
    """Label `system` of its alerts; also the dashboard's tag and the uid of its folder."""
    purpose: str
    """One or two sentences."""
    runbooks: Sequence[str]
    """Alerts whose runbooks the header links; empty while the system has no alerts."""
    logs: str
    """LogQL of the system's own log lines."""
    links: dict[str, str] = field(default_factory=dict[str, str])
    """More links of the header: text -> URL."""
    alerts: str = ""
    """Matchers of the alerts whose state the dashboard shows, without braces; empty: the alerts of the system."""


def dashboard(about: About, own_variables: Sequence[VariableModel], rows: Sequence[Row]) -> dict[str, Any]:
    """Grafana's JSON model of a dashboard: the state of the alerts, then `rows`, then runbooks and links."""
    builder = (
        Dashboard(about.title)
        .uid(about.uid)
        .description(about.purpose)
        .tags([TAG, about.system])
        .time(_RANGE, "now")
        .refresh(_REFRESH)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        # As in mails and mute windows, so that times can be compared.
        .timezone("utc")
        # The next `pulumi up` would overwrite an edit.
        .readonly()
        .annotations([])
    )
    model = builder.build()
    shared = [variables.source(data_source) for data_source in (PROMETHEUS, LOKI, JAEGER)]
    model.templating = DashboardDashboardTemplating(list_val=[*shared, *own_variables, variables.runbooks()])
    model.links = [dashboards_with(about.system, about.system), dashboards_with(TAG, "All dashboards")]
    names = [variable.name for variable in own_variables]
    first = line(*_alerts(about), height=_ALERTS_HEIGHT, widths=(8, 16))
    last = line(_header(about, names), height=_height(about))
    model.panels = place([row("", first), *rows, row("", last)])  # no heading: the rows of one are its contract
    document = cast(dict[str, Any], json.loads(json.dumps(model, cls=JSONEncoder)))
    for panel in document["panels"]:
        for one in (panel, *panel.get("panels", ())):
            absence.explain(one)
    drilldown.link(document, about.logs)
    marks = [annotations.firing(_matchers(about))]
    if NAMESPACE in names:
        here = f'namespace=~"${NAMESPACE}"'
        marks += [annotations.releases(here), annotations.restarts(here)]
    return document | {"annotations": {"list": marks}}


def _height(about: About) -> int:
    """Grid units that show the whole text without scrolling on a screen of 1600 pixels."""
    paragraphs = (about.purpose, " · ".join(about.runbooks), " · ".join(_places(about)))
    lines = sum(ceil(len(text) / _LETTERS) for text in paragraphs)
    return ceil((_FRAME + lines * _LINE) / _GRID_UNIT)


def _places(about: About) -> dict[str, str]:
    return {"log lines in Explore": explore_logs(about.logs), **about.links}


def _header(about: About, names: Collection[str]) -> Panel:
    books = " · ".join(runbook(alert) for alert in about.runbooks)
    elsewhere = " · ".join(
        f"[{text}]({kept(address, [NAMESPACE] if NAMESPACE in names else [])})"
        for text, address in _places(about).items()
    )
    first = f"**Runbooks:** {books}\n\n" if books else ""
    return text_panel(about.title, f"{about.purpose}\n\n{first}**Go to:** {elsewhere}\n")


def _matchers(about: About) -> str:
    # Watchdog always fires; a separate panel of the alerting dashboard shows its state.
    return about.alerts or f'system="{about.system}", alertname!="Watchdog"'


def _alerts(about: About) -> tuple[Panel, Panel]:
    labels = _matchers(about)
    which = "that this dashboard covers" if about.alerts else f"of the system {about.system}"
    shown = f"topk({_BANDS}, max by (alertname) (count_over_time(ALERTS{{{labels}}}[$__range] @ end())))"
    history = prom(
        f"""
        max by (alertname) (1 * ALERTS{{{labels}, alertstate="pending"}} or 2 * ALERTS{{{labels}, alertstate="firing"}})
        and on (alertname) {shown}
        or 0 * {shown}
        or on ()
        label_replace(vector(0), "alertname", "no alert", "", "")
        """,
        "{{alertname}}",
    )
    look = Look(
        unit=EXACT,
        words=(
            Word(value=0, text="quiet", colour=GOOD),
            Word(value=1, text="pending", colour=WARNING),
            Word(value=2, text="firing", colour=CRITICAL),
        ),
    )
    return (
        alerts_of("Alerts now", f"Pending and firing alerts {which}.", f"{{{labels}}}"),
        states(
            "Alert states",
            f"Times when alerts {which} were pending (orange) or firing (red); only alerts that Prometheus evaluates, "
            f"and of these the {_BANDS} that were so for the longest time.",
            [history],
            look,
            legend=False,
        ),
    )
