"""The rules that are made from each SLO: its error ratio over several windows, its budget, and three alerts.

All are about the whole cluster, so every series has the labels `slo` and `system` and no others.

The windows up to 3d read the service's own counters. The ratio over the SLO's window would cost days of samples of
every pod at each evaluation, so it reads two recorded series instead, the errors and the events per second of the last
5m: it is the sum of the one by the sum of the other. Each event therefore counts the same, whenever it happened. Time
in which the rules were not evaluated does not count, and in the first days the window is as long as there is data.

Events that no counter shows are not counted: of a series that is born with its first error that first one is lost.

A share of few events says little, so a fast burn pages only with `minimum_errors` errors in its long window. A slow one
has no such limit: it pages nobody, and is how a service with little traffic tells of its errors.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import indent

import promql_parser

from alerting import expressions
from alerting.base import Thresholds
from alerting.durations import seconds
from alerting.model import Annotations, Group, Labels, MetricRule, RecordingRule, Rule, RuleFile
from alerting.slos import WINDOW, Slo

DASHBOARD = "/d/platform-slos"
SHORT = ("30m", "1h")
"""Windows that are evaluated at the stack's interval, besides 5m."""
LONG = ("6h", "3d")
"""Windows that change slowly."""
# Twice within the 5m after which an instant query finds no sample any more.
_LONG_INTERVAL = "2m"
# Share of the budget -> the window in which it may not be used up: 2 % in an hour and 5 % in six are worth a page,
# 10 % in three days a ticket. The second, short window lets the alert resolve soon after the errors end.
_FAST, _STEADY, _SLOW = (0.02, "1h", "5m"), (0.05, "6h", "30m"), (0.1, "3d", "6h")


def files(slos: Iterable[Slo]) -> dict[str, RuleFile[MetricRule]]:
    """File name -> rules of the SLOs of one system."""
    ordered = sorted(slos, key=lambda slo: slo.system)
    return {
        f"slos-{system}.yaml": RuleFile[MetricRule](groups=[group for slo in own for group in _groups(slo)])
        for system, own in groupby(ordered, key=lambda slo: slo.system)
    }


def thresholds(slos: Iterable[Slo]) -> Thresholds:
    """Alert -> threshold -> default, of the alerts that are made.

    Each is how many times faster than allowed errors come: with 1 the budget lasts exactly the SLO's window.
    """
    found: Thresholds = {}
    for slo in slos:
        found[alert(slo, "BudgetBurnFast")] = {"fast_burn": _burn(slo, _FAST), "steady_burn": _burn(slo, _STEADY)}
        found[alert(slo, "BudgetBurnSlow")] = {"slow_burn": _burn(slo, _SLOW)}
    return found


def alert(slo: Slo, suffix: str) -> str:
    """Name of an alert of an SLO."""
    return "".join(part.capitalize() for part in slo.name.split("-")) + suffix


_Burn = tuple[float, str, str]


def _burn(slo: Slo, burn: _Burn) -> float:
    share, window, _ = burn
    return float(f"{share * seconds(slo.window) / seconds(window):.6g}")


def _groups(slo: Slo) -> list[Group[MetricRule]]:
    name = f"slo-{slo.name}"
    short: Sequence[Rule | RecordingRule] = [
        _record(slo, "slo:errors:rate5m", _errors(slo, "5m")),
        _record(slo, "slo:total:rate5m", _total(slo, "5m")),
        _record(slo, "slo:errors:ratio_rate5m", _ratio(_series(slo, "errors:rate5m"), _series(slo, "total:rate5m"))),
        *(_record(slo, f"slo:errors:ratio_rate{window}", _raw_ratio(slo, window)) for window in SHORT),
        _record_count(slo, _FAST),
        _record(slo, "slo:minimum_errors:count", f"vector({slo.minimum_errors})"),
        _fast(slo),
        _missing(slo),
    ]
    errors, total = (f"sum_over_time({_series(slo, f'{kind}:rate5m')}[{slo.window}])" for kind in ("errors", "total"))
    ratio = f"slo:errors:ratio_rate{slo.window}"
    spent = _selector(slo, ratio)
    long: Sequence[Rule | RecordingRule] = [
        *(_record(slo, f"slo:errors:ratio_rate{window}", _raw_ratio(slo, window)) for window in LONG),
        _record_count(slo, _STEADY),
        _record(slo, ratio, _ratio(errors, total)),
        _record(slo, "slo:objective:ratio", f"vector({slo.objective_ratio:f})"),
        _record(slo, "slo:window:seconds", f"vector({seconds(slo.window):.0f})"),
        _record(slo, "slo:budget_remaining:ratio", f"1 - {spent} / {slo.budget:f}"),
        _slow(slo),
    ]
    return [
        Group[MetricRule](name=name, rules=list(short)),
        Group[MetricRule](name=f"{name}-long", interval=_LONG_INTERVAL, rules=list(long)),
    ]


def _record(slo: Slo, record: str, expression: str) -> RecordingRule:
    return RecordingRule(record=record, expr=expression, labels={"slo": slo.name, "system": slo.system})


def _record_count(slo: Slo, burn: _Burn) -> RecordingRule:
    """How many errors there were in the long window. Rounded, because rates are estimates: 9 errors are no 9.1."""
    _, window, _ = burn
    counted = f"round(\n  {seconds(window):.0f} *\n{_indented(_errors(slo, window))}\n)\n"
    return _record(slo, f"slo:errors:increase{window}", counted)


def _selector(slo: Slo, series: str) -> str:
    return f'{series}{{slo="{slo.name}"}}'  # whose name no other system may use


def _series(slo: Slo, rest: str) -> str:
    return _selector(slo, f"slo:{rest}")


def _errors(slo: Slo, window: str) -> str:
    """Errors per second; 0 where there are events and no series of errors, and never less (rates are estimates)."""
    return f"""clamp_min(
{_indented(slo.errors.replace(WINDOW, window))}
  or
  0 * (
{_indented(_total(slo, window), 4)}
  ),
  0
)
"""


def _total(slo: Slo, window: str) -> str:
    return slo.total.replace(WINDOW, window)


def _raw_ratio(slo: Slo, window: str) -> str:
    return _ratio(_errors(slo, window), _total(slo, window))


def _ratio(errors: str, total: str) -> str:
    """Errors by events, at most 1. Nothing where nothing happens: 0/0 would spoil whatever reads it."""
    return f"""clamp_max(
{_indented(errors)}
  /
  (
{_indented(total, 4)}
    > 0
  ),
  1
)
"""


def _indented(expression: str, by: int = 2) -> str:
    return indent(expression.strip(), " " * by)


def _burns(slo: Slo, burn: _Burn) -> str:
    """How many times faster than allowed errors come, where that is too fast over both windows."""
    _, window, brief = burn
    longer, shorter = (_series(slo, f"errors:ratio_rate{name}") for name in (window, brief))
    return f"""(
  # Both windows must burn, so the lower one counts. {slo.budget:f} is the share of errors that is allowed.
  {longer}
    < {shorter}
  or
  {shorter}
    and {longer}
) / {slo.budget:f} > {expressions.number(_burn(slo, burn))}
"""


def _is_no_chance(slo: Slo, burn: _Burn) -> str:
    """Where the errors of a burn are too many to be one user's bad luck."""
    _, window, _ = burn
    return f"and\n{_series(slo, f'errors:increase{window}')} >= slo:minimum_errors:count\n"


def _fast(slo: Slo) -> Rule:
    burns = (_burns(slo, burn) + _is_no_chance(slo, burn) for burn in (_FAST, _STEADY))
    return Rule(
        alert=alert(slo, "BudgetBurnFast"),
        expr="or\n".join(burns),
        # The short windows make it last already; this leaves out a single odd evaluation.
        for_="2m",
        labels=Labels(severity="critical", system=slo.system, team=slo.team, page="true", subject=f"{slo.name}-budget"),
        annotations=_burning(slo, "burns fast"),
    )


def _slow(slo: Slo) -> Rule:
    return Rule(
        alert=alert(slo, "BudgetBurnSlow"),
        expr=_burns(slo, _SLOW),
        # Nobody has to act within minutes, and the windows are long.
        for_="15m",
        labels=Labels(severity="warning", system=slo.system, team=slo.team, page="false", subject=f"{slo.name}-budget"),
        annotations=_burning(slo, f"will not last {slo.window}"),
    )


def _burning(slo: Slo, how: str) -> Annotations:
    return Annotations(
        summary=f"The error budget of {slo.name} {how}",
        description=f"Errors of {slo.name} come {{{{ $value | humanize }}}} times as fast as its objective allows: "
        f"{slo.objective:g} % over {slo.window}, {slo.description}.",
        dashboard_url=DASHBOARD,
    )


def _missing(slo: Slo) -> Rule:
    """The events' metric is gone: no rule above says anything any more. After a day it counts as removed on purpose."""
    there = "\nand on ()\n".join(f"count({selector})" for selector in _selectors(slo.total))
    return Rule(
        alert=alert(slo, "MetricsMissing"),
        expr=f"max_over_time({_series(slo, 'total:rate5m')}[1d])\nunless on ()\n{there}\n",
        for_="10m",  # as long as an upgrade of a single pod may take
        labels=Labels(
            severity="warning", system=slo.system, team=slo.team, page="false", subject=f"{slo.name}-metrics"
        ),
        annotations=Annotations(
            summary=f"Nobody reports the events of {slo.name}",
            description=f"The metric behind {slo.name} is gone; within the last day it had up to "
            "{{ $value | humanize }} events per second. Nobody can tell whether its objective is met: "
            f"{slo.objective:g} % over {slo.window}, {slo.description}.",
            dashboard_url=DASHBOARD,
        ),
    )


def _selectors(expression: str) -> list[str]:
    """What an expression selects, each once, without ranges."""
    found: dict[str, None] = {}

    def visit(node: object) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found[selector.prettify()] = None
        return True

    promql_parser.walk(promql_parser.parse(expression.replace(WINDOW, "5m")), visit)
    return list(found)
