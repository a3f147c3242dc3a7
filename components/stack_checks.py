"""Do the parts of a stack fit together: its rules, routes, dashboards and values. One line for each problem."""

from collections.abc import Iterator, Sequence

from components import dashboard_files
from components.dashboard_files import DashboardFile
from components.setting_values import Values
from rules import routing, slos
from rules.model import RuleSet
from rules.routing import Routing


def problems(
    rule_set: RuleSet | None, routes: Routing | None, dashboards: Sequence[DashboardFile], values: Values | None
) -> Iterator[str]:
    """What does not fit. A part that is None, or no dashboard, is wrong in itself, and is left out."""
    if values and routes:
        yield from routes.timing_problems(values.timing)
    if rule_set and routes:
        labels = {alert: rule.labels.model_dump() for alert, rule in rule_set.rules().items()}
        yield from routing.inhibition_problems(routes, labels)
    if rule_set and values:
        remote_write = bool(values.remote_write_url)
        yield from slos.retention_problems(rule_set.slos.values(), values.prometheus_retention, remote_write)
    if rule_set and dashboards:
        linked = {alert: rule.annotations.dashboard_url for alert, rule in rule_set.rules().items()}
        yield from dashboard_files.missing(dashboards, linked)
        yield from dashboard_files.unreachable(dashboards, linked)
