"""Generates the rules of each SLO: its error ratio over several windows, its error budget, and three alerts.

All of them cover the whole cluster, so every series has only the labels `slo` and `system`.

Windows up to 3d count the service's own counters. The ratio of the SLO's window reads recorded series instead, which
survive a change of the counting: errors and events per second over the last 5m. The sum of the first is divided by the
sum of the second, so each event has the same weight, whenever it happened. Time without evaluations does not count. In
the first days the window is as long as there is data.

A service that is gone counts no events, and a ratio of no events would be 100 %. So while nothing is counted although
events always came in the last day, the SLO's window counts the day's mean as errors (`slo:lost:rate5m`).

A ratio of few events is not significant, so a fast burn pages only with `minimum_errors` errors in its long window. A
slow burn has no such minimum: it pages nobody, and it is how a service with little traffic reports its errors.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import indent

from alerting import expressions
from alerting.base import Thresholds
from alerting.durations import seconds
from alerting.model import Annotations, Group, Labels, MetricRule, RecordingRule, Rule, RuleFile
from alerting.slos import WINDOW, Slo

DASHBOARD = "/d/platform-slos"
SHORT = ("30m", "1h")
"""Windows besides 5m that are evaluated at the stack's interval."""
LONG = ("6h", "3d")
"""Windows whose ratio changes slowly; they are evaluated less often."""
# At least two samples within 5m, because an instant query ignores older samples.
_LONG_INTERVAL = "2m"
# (share of the budget, long window, short window): spending 2 % in one hour or 5 % in six hours is worth a page, 10 %
# in three days a ticket. The short window lets the alert resolve soon after the errors end.
_FAST, _STEADY, _SLOW = (0.02, "1h", "5m"), (0.05, "6h", "30m"), (0.1, "3d", "6h")


def files(slos: Iterable[Slo]) -> dict[str, RuleFile[MetricRule]]:
    """Rule files of the SLOs by name, one file per system."""
    ordered = sorted(slos, key=lambda slo: slo.system)
    return {
        f"slos-{system}.yaml": RuleFile[MetricRule](groups=[group for slo in own for group in _groups(slo)])
        for system, own in groupby(ordered, key=lambda slo: slo.system)
    }


def thresholds(slos: Iterable[Slo]) -> Thresholds:
    """Thresholds of the generated alerts: alert -> threshold -> default.

    Each is a burn rate: at 1 the budget lasts exactly the SLO's window, at 2 half of it.
    """
    found: Thresholds = {}
    for slo in slos:
        found[alert(slo, "BudgetBurnFast")] = {"fast_burn": _burn(slo, _FAST), "steady_burn": _burn(slo, _STEADY)}
        found[alert(slo, "BudgetBurnSlow")] = {"slow_burn": _burn(slo, _SLOW)}
    return found


def alert(slo: Slo, suffix: str) -> str:
    """Name of one of an SLO's alerts."""
    return "".join(part.capitalize() for part in slo.name.split("-")) + suffix


_Burn = tuple[float, str, str]


def _burn(slo: Slo, burn: _Burn) -> float:
    share, window, _ = burn
    return float(f"{share * seconds(slo.window) / seconds(window):.6g}")


def _groups(slo: Slo) -> list[Group[MetricRule]]:
    name = f"slo-{slo.name}"
    short: Sequence[Rule | RecordingRule] = [
        _record(slo, "slo:errors:rate5m", f"{_errors(slo, '5m').strip()} / {seconds('5m'):.0f}\n"),
        _record(slo, "slo:total:rate5m", f"(\n{_indented(_total(slo, '5m'))}\n) / {seconds('5m'):.0f}\n"),
        _record(
            slo, "slo:lost:rate5m", f"avg_over_time({_series(slo, 'total:rate5m')}[1d])\nand on ()\n{_stopped(slo)}"
        ),
        _record(slo, "slo:errors:ratio_rate5m", _ratio(_series(slo, "errors:rate5m"), _series(slo, "total:rate5m"))),
        *(_record(slo, f"slo:errors:ratio_rate{window}", _raw_ratio(slo, window)) for window in SHORT),
        _record_count(slo, _FAST),
        _record(slo, "slo:minimum_errors:count", f"vector({slo.minimum_errors})"),
        _fast(slo),
        *([] if slo.stopped_alert else [_missing(slo)]),
    ]
    ratio = f"slo:errors:ratio_rate{slo.window}"
    spent = _selector(slo, ratio)
    long: Sequence[Rule | RecordingRule] = [
        *(_record(slo, f"slo:errors:ratio_rate{window}", _raw_ratio(slo, window)) for window in LONG),
        _record_count(slo, _STEADY),
        _record(slo, ratio, _recorded_ratio(slo, slo.window)),
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
    """Records the number of errors in the long window. Rounded, because 10 sums of 0.1 are a little less than 1."""
    _, window, _ = burn
    return _record(slo, f"slo:errors:increase{window}", f"round(\n{_indented(_errors(slo, window))}\n)\n")


def _recorded_ratio(slo: Slo, window: str) -> str:
    """The error ratio of the SLO's window, in which lost events count as errors."""
    errors, total, lost = (
        f"sum_over_time({_series(slo, f'{kind}:rate5m')}[{window}])" for kind in ("errors", "total", "lost")
    )
    lost = f"({lost} or 0 * {total})"
    return _ratio(f"({errors} + {lost})", f"{total} + {lost}")


def _stopped(slo: Slo) -> str:
    """A result where nothing is counted although events came in nine tenths of the last day's evaluations."""
    total = _series(slo, "total:rate5m")
    return f"(quantile_over_time(0.1, {total}[1d]) > 0 unless on () {total} > 0)\n"


def _selector(slo: Slo, series: str) -> str:
    return f'{series}{{slo="{slo.name}"}}'  # names of SLOs are unique across systems


def _series(slo: Slo, rest: str) -> str:
    return _selector(slo, f"slo:{rest}")


def _errors(slo: Slo, window: str) -> str:
    """Errors in the window, at least 0, because differences may not; 0 where there are events but no errors' series."""
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
    """Errors divided by events, at most 1. No result without events, because 0/0 is NaN and spoils every sum."""
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
    """The burn rate, where it is too high over both windows."""
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


def _has_minimum_errors(slo: Slo, burn: _Burn) -> str:
    """Restricts a burn to windows with enough errors to exclude one user's repeated attempts."""
    _, window, _ = burn
    return f"and\n{_series(slo, f'errors:increase{window}')} >= slo:minimum_errors:count\n"


def _fast(slo: Slo) -> Rule:
    burns = (_burns(slo, burn) + _has_minimum_errors(slo, burn) for burn in (_FAST, _STEADY))
    return Rule(
        alert=alert(slo, "BudgetBurnFast"),
        expr="or\n".join(burns),
        # The windows already smooth the ratio; this only ignores a single odd evaluation.
        for_="2m",
        labels=Labels(severity="critical", system=slo.system, team=slo.team, page="true", subject=f"{slo.name}-budget"),
        annotations=_burning(slo, "burns fast"),
    )


def _slow(slo: Slo) -> Rule:
    return Rule(
        alert=alert(slo, "BudgetBurnSlow"),
        expr=_burns(slo, _SLOW),
        # The windows are long, and nobody has to act within minutes.
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
    """Fires when no events come where they always come, or their metric is gone: no other rule can fire then.

    After a day the service counts as removed on purpose.
    """
    exists = "\nand on ()\n".join(f"count({selector})" for selector in _selectors(slo.total))
    most = f"max_over_time({_series(slo, 'total:rate5m')}[1d])"
    return Rule(
        alert=alert(slo, "MetricsMissing"),
        expr=f"(\n  {most}\n  and on ()\n  {_stopped(slo)})\nor\n(\n  {most}\n  unless on ()\n{_indented(exists)}\n)\n",
        for_="10m",  # longer than the upgrade of a single pod
        labels=Labels(
            severity="critical", system=slo.system, team=slo.team, page="true", subject=f"{slo.name}-metrics"
        ),
        annotations=Annotations(
            summary=f"{slo.name}: nothing is counted any more",
            description=f"No event of {slo.name} is counted, or its metric is gone; within the last day there were up "
            "to {{ $value | humanize }} events per second. The objective is missed meanwhile: "
            f"{slo.objective:g} % over {slo.window}, {slo.description}.",
            dashboard_url=DASHBOARD,
        ),
    )


def _selectors(expression: str) -> list[str]:
    """The instant selectors in an expression, each once; ranges are dropped."""
    found = expressions.selectors(expression.replace(WINDOW, "5m"))
    return list(dict.fromkeys(selector.prettify() for selector in found))
