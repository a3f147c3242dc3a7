"""Checks the routing against the alerts that there are: a matcher that no alert has wakes nobody."""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import cast

from alerting.problems import closest
from alerting.routing.model import Match, Routing, values

Alerts = Mapping[str, Mapping[str, str]]
"""Alert -> labels of its rule."""
Series = Mapping[str, frozenset[str] | None]
"""Alert -> further labels that its series can have."""
FILE = "rules/routing.yaml"
_LOGS = frozenset({"namespace", "app", "service", "pod", "node", "level"})
"""Labels of alerts on log lines."""
_EXTERNAL = "cluster"
"""Label that each Prometheus adds."""


def problems_with(routing: Routing, alerts: Alerts, series: Series, exported: Collection[str]) -> Iterator[str]:
    """One line for each place of the routing that names what no alert has, or that no alert reaches.

    `exported` are the labels of the systems' metrics, which a rule may pass on.
    """
    named = {name: {"alertname": name, **labels} for name, labels in alerts.items()}
    further = {name: {_EXTERNAL, *(series.get(name, _LOGS) or ())} for name in alerts}
    known = {*exported, *chain.from_iterable(named.values()), *chain.from_iterable(further.values())}
    yield from inhibition_problems(routing, alerts)
    yield from name_problems(routing, alerts)
    yield from _label_problems(routing, sorted(known))
    taken: dict[str, str] = {}
    for place, route in zip(routing.places, routing.routes, strict=True):
        found = _matched(route.match, named, further)
        yield from _unmatched(f"{place}.match", route.match, found, named, known)
        if found and all(name in taken for name in found):
            earlier = ", ".join(sorted({taken[name] for name in found}))
            yield f"{place}: never reached: {earlier} takes all of its alerts"
        for index, part in enumerate(route.also):
            also = [name for name in _matched(part.match, named, further) if name in found]
            if found:
                yield from _unmatched(f"{place}.also[{index}].match", part.match, also, named, known)
        # What a label of the series decides is not decided here.
        sure = {name for name in found if all(label in named[name] for label in route.match)}
        taken |= {name: place for name in sure if name not in taken}


def _matched(match: Match, named: Alerts, further: Mapping[str, set[str]]) -> list[str]:
    return [
        name
        for name, labels in named.items()
        if all(
            labels[label] in values(wanted) if label in labels else label in further[name]
            for label, wanted in match.items()
        )
    ]


def _unmatched(place: str, match: Match, found: list[str], named: Alerts, known: set[str]) -> Iterator[str]:
    """Values that no alert has, also one of a list; or a match that none meets as a whole."""
    told = False
    for label, wanted in match.items():
        there = sorted({labels[label] for labels in named.values() if label in labels})
        if label not in known:
            told = True
            yield f"{place}.{label}: no alert has this label; {closest(label, sorted(known))}"
        for value in values(wanted) if there else ():
            if value not in there:
                told = True
                yield f"{place}.{label}: no alert has the value {value!r}; {closest(value, there)}"
    if not found and not told:
        yield f"{place}: matches no alert: {shown(match)}"


def _label_problems(routing: Routing, known: list[str]) -> Iterator[str]:
    lists = {"group_by": routing.group_by}
    lists |= {f"inhibitions.{name}.equal": inhibition.equal for name, inhibition in routing.inhibitions.items()}
    sides = [
        (f"inhibitions.{name}.{side}", label)
        for name, inhibition in routing.inhibitions.items()
        for side, match in (("source", inhibition.source), ("target", inhibition.target))
        for label in match
    ]
    for key, label in [*((key, label) for key, labels in lists.items() for label in labels), *sides]:
        if label not in known:
            yield f"{FILE}: {key}: no alert has the label {label!r}; {closest(label, known)}"
    for key, labels in lists.items():
        # Alertmanager refuses its configuration.
        yield from (
            f"{FILE}: {key}: {label!r} appears twice; allowed: once"
            for label in dict.fromkeys(labels)
            if labels.count(label) > 1
        )


def name_problems(routing: Routing, alerts: Alerts) -> Iterator[str]:
    """Wrong alerts under `incidents` and `mention`, one line each; `alerts`: name -> labels."""
    for alert, incident in routing.incidents.items():
        own = tuple(name for name, labels in alerts.items() if labels.get("system") == incident.system)
        where = f"rules/systems/{incident.system}.yaml: incidents.{alert}"
        if alert not in own:
            yield f"{where}: no such alert of this system; {closest(alert, own)}"
        elif again := [label for label in incident.labels if label in routing.group_by]:
            yield f"{where}: {again[0]} is in group_by of {FILE} already"
    for name, channel in routing.channels.items():
        for alert in channel.kind.named_alerts():
            if alert not in alerts:
                yield f"{FILE}: channels.{name}: no alert {alert!r}; {closest(alert, tuple(alerts))}"


def inhibition_problems(routing: Routing, alerts: Alerts) -> list[str]:
    """Inhibitions whose source or target matches none of `alerts` (name -> labels), one line each."""
    problems: list[str] = []
    for name, inhibition in routing.inhibitions.items():
        for side, match in (("source", inhibition.source), ("target", inhibition.target)):
            named = [{"alertname": alert, **labels} for alert, labels in alerts.items()]
            # Labels that come from an alert's series are unknown here, so they count as a match.
            if not any(
                all(labels[label] in values(wanted) for label, wanted in match.items() if label in labels)
                for labels in named
            ):
                problems.append(f"{FILE}: inhibitions.{name}.{side}: matches no alert: {shown(match)}")
    return problems


def shown(value: object) -> str:
    """A value of a routing file, for messages."""
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, object], value).items()
        return "{" + ", ".join(f"{label}: {shown(item)}" for label, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in cast(list[object], value)) + "]"
    return "nothing" if value is None else str(value)
