"""Reads and checks who is notified: routing.yaml, and the channels and routes of the service teams.

A service team's file, rules/systems/<system>.yaml, may define channels and routes for its own system. Its routes come
after those of routing.yaml and before the default.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from alerting.files import RULES, read_text, read_yaml
from alerting.problems import RulesError, closest, describe
from alerting.routing.alert_checks import problems_with, shown
from alerting.routing.channels import Channel
from alerting.routing.kinds.base import ChannelKind, ContactPoint, Form
from alerting.routing.model import (
    RETENTION,
    Incident,
    Inhibition,
    Route,
    Routing,
    RoutingFile,
    SystemRouting,
    Timing,
    values,
)
from alerting.routing.mute_windows import MuteWindow, always
from alerting.routing.places import shared_places
from alerting.routing.render import TEMPLATES, Mail, render

__all__ = [
    "RETENTION",
    "TEMPLATES",
    "Channel",
    "ChannelKind",
    "ContactPoint",
    "Form",
    "Inhibition",
    "Mail",
    "MuteWindow",
    "Route",
    "Routing",
    "RulesError",
    "Timing",
    "load",
    "message_templates",
    "problems_with",
    "render",
]

FILE = "rules/routing.yaml"


def load(folder: Path = RULES, *, today: date | None = None) -> Routing:
    """The routing in `folder`/routing.yaml and the systems' files. Raises RulesError with every problem found.

    A mute window without a match from `today` (default: the date in UTC) on is a problem.
    """
    problems: list[str] = []
    try:
        file = RoutingFile.model_validate(read_yaml(folder / "routing.yaml", FILE))
    except (RulesError, ValidationError) as error:
        problems += error.problems if isinstance(error, RulesError) else describe(error, FILE)
        for _ in _system_files(folder, problems):
            pass
        raise RulesError([*problems, *_template_problems(folder)]) from error
    channels = dict(file.channels)
    origin = dict.fromkeys(channels, FILE)
    routes = list(file.routes)
    places = [f"{FILE}: routes[{index}]" for index in range(len(routes))]
    incidents: dict[str, Incident] = {}
    for system, where, own in _system_files(folder, problems):
        for name, channel in own.channels.items():
            if name in channels:
                problems.append(f"{where}: channels.{name}: defined twice (first in {origin[name]})")
            channels.setdefault(name, channel)
            origin.setdefault(name, where)
        incidents |= {alert: Incident(system, tuple(labels)) for alert, labels in own.incidents.items()}
        for index, route in enumerate(own.routes):
            place = f"{where}: routes[{index}]"
            if route.match.get("system") != system:
                problems.append(
                    f"{place}.match.system: {shown(route.match.get('system'))} is not allowed; allowed: {system}, "
                    "because a service team routes its own system only"
                )
            routes.append(route)
            places.append(place)
    routing = Routing.model_construct(
        channels=channels,
        default=file.default,
        group_by=file.group_by,
        routes=routes,
        escalation=file.escalation,
        mute_windows=file.mute_windows,
        inhibitions=file.inhibitions,
        places=tuple(places),
        incidents=incidents,
    )
    problems += _channel_problems(routing, origin)
    problems += _form_problems(routing, origin)
    problems += _place_problems(routing, origin)
    problems += _unreachable(routing)
    problems += routing.timing_problems()
    problems += _mute_problems(routing, today or datetime.now(UTC).date())
    problems += _inhibition_problems(routing)
    named = _Placeholders()
    used = str([channel.kind.receiver(name, named) for name, channel in channels.items()])
    problems += _template_problems(folder, used)
    if problems:
        raise RulesError(problems)
    return routing


def message_templates(folder: Path = RULES) -> str:
    """Text of the notification templates; Alertmanager reads them from the file TEMPLATES beside alertmanager.yml."""
    return read_text(folder / TEMPLATES, f"rules/{TEMPLATES}")


def words(folder: Path) -> frozenset[str]:
    """Every word in the files of the routing: among them are the keys of the channels' secrets."""
    files = [folder / "routing.yaml", *sorted((folder / "systems").glob("*.yaml"))]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


class _Placeholders(dict[str, str]):
    """Stands for secrets."""

    def __missing__(self, key: str) -> str:
        return f"S{key}"


def _system_files(folder: Path, problems: list[str]) -> Iterator[tuple[str, str, SystemRouting]]:
    """System, file and routing of each system's file; alerting.loader reports problems in the other keys."""
    for file in sorted((folder / "systems").glob("*.yaml")):
        where = f"rules/systems/{file.name}"
        try:
            document = read_yaml(file, where)
        except RulesError:
            continue
        if not isinstance(document, dict):
            continue
        given = cast(dict[str, object], document)
        try:
            own = SystemRouting.model_validate({key: given[key] for key in SystemRouting.model_fields if key in given})
        except ValidationError as error:
            problems += describe(error, where)
            continue
        yield file.stem, where, own


def _channel_problems(routing: Routing, origin: Mapping[str, str]) -> Iterator[str]:
    known, used = tuple(routing.channels), {routing.default}
    if routing.default not in known:
        yield f"{FILE}: default: no channel {routing.default!r}; {closest(routing.default, known)}"
    for place, route in zip(routing.places, routing.routes, strict=True):
        named = [(f"{place}.channels", name) for name in route.channels]
        named += [
            (f"{place}.also[{index}].channels", name) for index, p in enumerate(route.also) for name in p.channels
        ]
        seen: set[str] = set()
        for key, name in named:
            if name not in known:
                yield f"{key}: no channel {name!r}; {closest(name, known)}"
            elif name in seen:
                yield f"{key}: {name} appears twice in this route, so it would be notified twice"
            seen.add(name)
        used |= seen
    for name in known:
        if name not in used:
            yield f"{origin[name]}: channels.{name}: no route leads to it"


def _form_problems(routing: Routing, origin: Mapping[str, str]) -> Iterator[str]:
    seen: dict[str, tuple[Form, str]] = {}
    for name, channel in routing.channels.items():
        for key, form in channel.kind.keys().items():
            first, other = seen.setdefault(key, (form, name))
            if first != form:
                clash = f"{key} cannot be {_FORMS[form]}, because it is {_FORMS[first]} of {other}"
                yield f"{origin[name]}: channels.{name}: {clash}"


_FORMS: Mapping[Form, str] = {
    "url": "the URL",
    "token": "the routing key",
    "address": "the e-mail address",
    "mention": "who is mentioned",
}


def _place_problems(routing: Routing, origin: Mapping[str, str]) -> Iterator[str]:
    """Channels that share the key of a URL, although they are different places."""
    for first, one in shared_places(routing, str):
        yield (
            f"{origin[one.channel]}: channels.{one.channel}: {one.key} posts into {first.where} of {first.channel}, "
            f"whatever the message says, so it cannot post into {one.where}; allowed: a key of its own"
        )


def _unreachable(routing: Routing) -> Iterator[str]:
    for index, route in enumerate(routing.routes):
        for earlier in range(index):
            first = routing.routes[earlier].match
            if all(
                label in route.match and set(values(route.match[label])) <= set(values(wanted))
                for label, wanted in first.items()
            ):
                yield f"{routing.places[index]}: never reached: {routing.places[earlier]} takes all of its alerts"
                break


def _mute_problems(routing: Routing, today: date) -> Iterator[str]:
    known, used = tuple(routing.mute_windows), set[str]()
    for severity, level in routing.escalation.items():
        where = f"{FILE}: escalation.{severity}.mute"
        used |= set(level.mute)
        unknown = [name for name in level.mute if name not in known]
        yield from (f"{where}: no mute window {name!r}; {closest(name, known)}" for name in unknown)
        if level.mute and severity == "critical":
            yield f"{where}: {shown(level.mute)} is not allowed; allowed: none, because critical alerts page"
        named = [routing.mute_windows[name] for name in level.mute if name in known]
        if len(named) > 1 and not any(window.problem(today) for window in named) and always(named, today):
            yield f"{where}: {shown(level.mute)} together always match, so {severity} alerts would never be notified"
    for name, window in routing.mute_windows.items():
        if name not in used:
            yield f"{FILE}: mute_windows.{name}: not used by any severity"
        if found := window.problem(today):
            yield f"{FILE}: mute_windows.{name}: {found}"


def _inhibition_problems(routing: Routing) -> Iterator[str]:
    for name, inhibition in routing.inhibitions.items():
        source, target = inhibition.source, inhibition.target
        disjoint = any(
            not set(values(source[label])) & set(values(target[label])) for label in source if label in target
        )
        if not disjoint and "alertname" not in source:
            yield (
                f"{FILE}: inhibitions.{name}: an alert can match both source and target, so two instances of it would "
                "mute each other; allowed: source and target with different values of one label, or a source with "
                "alertname"
            )
        if target.get("alertname") == "Watchdog":
            yield f"{FILE}: inhibitions.{name}.target: Watchdog is not allowed; allowed: any other alert"


def _template_problems(folder: Path, used: str = "") -> Iterator[str]:
    where = f"rules/{TEMPLATES}"
    try:
        text = message_templates(folder)
    except RulesError as error:
        yield from error.problems
        return
    defined = set(re.findall(r'\{\{-? *define "([^"\n]+)"', text))
    for name in sorted(set(re.findall(r'template "([^"\n]+)"', text + used)) - defined):
        yield f"{where}: no template {name!r}; {closest(name, tuple(defined))}"
