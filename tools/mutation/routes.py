"""Tries mistakes in routes, inhibitions and mute windows against the cases in routes.yaml and muting.yaml.

A real Alertmanager decides, and its result must equal that of tools.mutation.semantics for every mistake and case.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from alerting import loader, routing
from alerting.routing import notified
from tools.coverage import evidence
from tools.mutation import real, semantics
from tools.mutation.cases import Case, Part
from tools.mutation.mutants import Mutant, without
from tools.mutation.semantics import Config, Labels
from tools.rule_tests import muting_cases
from tools.rule_tests.alertmanager import document

ROUTING: Literal["routing"] = "routing"
MUTING: Literal["muting"] = "muting"
AT_ONCE = 20
"""Configurations in one Alertmanager, which compares every alert with the inhibitions of all of them."""
Change = Callable[[Config], None]


def cases() -> list[Case]:
    """The cases of both files, with all labels of every alert."""
    rules = {name: rule.alert_labels for name, rule in loader.load().rules().items()}
    sources = evidence.collect()

    def full(labels: Labels, cluster: str) -> dict[str, str]:
        return {**rules.get(labels["alertname"], {}), "cluster": cluster, **labels}

    found = [
        Case(
            name=str(case),
            part=ROUTING,
            kind="route",
            alerts=(rules[case["alert"]] if "alert" in case else case["labels"],),
            expected=frozenset(case["receivers"]),
        )
        for case in sources.routes
    ]
    for case in muting_cases.load():
        sides = ("alert",) if "mute_window" in case else ("source", "target")
        found.append(
            Case(
                name=case["name"],
                part=MUTING,
                kind="window" if "mute_window" in case else "inhibition",
                alerts=tuple(full(case[side], case["name"]) for side in sides),
                expected=case["muted"],
                instant=case.get("at", ""),
            )
        )
    return found


def decided(config: Config, cases: Sequence[Case]) -> list[frozenset[str] | bool]:
    """The results of tools.mutation.semantics, while the alerts of all inhibitions' cases fire."""
    of_inhibitions = [case for case in cases if case.kind == "inhibition"]
    firing = [alert for case in of_inhibitions for alert in case.alerts]
    muted = iter(semantics.inhibited(config, firing, [case.alerts[-1] for case in of_inhibitions]))

    def result(case: Case) -> frozenset[str] | bool:
        if case.kind == "route":
            return frozenset(one.channel for one in notified.notifications(config, case.alerts[-1]))
        return semantics.silent(config, case.alerts[-1], case.instant) if case.kind == "window" else next(muted)

    return [result(case) for case in cases]


def base() -> Config:
    """The deployed alertmanager.yml, with invented addresses."""
    return document()


def mutants(config: Config) -> Iterator[tuple[Part, Mutant]]:
    """Every mistake that changes the receivers or the muting of any alert."""
    for mutant in _of_routes(config):
        if not semantics.same(config, mutant.document):
            yield ROUTING, mutant
    for mutant in (*_of_inhibitions(config), *_of_levels(config), *_of_windows(config)):
        if not semantics.same(config, mutant.document):
            yield MUTING, mutant


def run(parts: Sequence[str], tick: Callable[[str, Mutant, bool], None]) -> None:
    """Try every mistake, and call `tick` with whether it was noticed.

    Raises RuntimeError for a case that fails without any mistake, and if Alertmanager and tools.mutation.semantics
    differ.
    """
    config = base()
    for part in parts:
        mine = [case for case in cases() if case.part == part]
        made = [mutant for one, mutant in mutants(config) if one == part]
        problems: list[str] = []
        # The first has no mistake, so it says which cases fail anyway.
        tried: list[Mutant] = [Mutant(about="routes", what="no mistake", document=config), *made]
        for start in range(0, len(tried), AT_ONCE):
            some = tried[start : start + AT_ONCE]
            with TemporaryDirectory() as folder:
                answers = real.ask([mutant.document for mutant in some], mine, Path(folder))
            for mutant, row in zip(some, answers, strict=True):
                problems += [
                    f"{mutant.what}: {case.name}: Alertmanager's result is {answer}, "
                    f"that of tools.mutation.semantics {other}"
                    for case, answer, other in zip(mine, row, decided(mutant.document, mine), strict=True)
                    if answer != other
                ]
                failed = [case.name for case, answer in zip(mine, row, strict=True) if answer != case.expected]
                if mutant is not tried[0]:
                    tick(part, mutant, bool(failed))
                elif failed:
                    problems.append(f"cases fail without any mistake: {', '.join(failed)}")
            if problems:
                raise RuntimeError("\n".join(problems[:10]))


def _changed(config: Config, about: str, what: str, change: Change) -> Mutant:
    changed = copy.deepcopy(config)
    change(changed)
    return Mutant(about=about, what=what, document=changed)


def _of_routes(config: Config) -> Iterator[Mutant]:
    default = config["route"]["receiver"]
    others = [one["name"] for one in config["receivers"]]
    for number, route in enumerate(config["route"]["routes"]):
        if "receiver" not in route:
            continue  # a level of the default route: see _of_levels
        about = f"route {route['receiver']}: {', '.join(route['matchers'])}"

        def on(change: Callable[[dict[str, Any]], None], number: int = number) -> Change:
            return lambda one: change(one["route"]["routes"][number])

        yield _changed(config, about, "removed", lambda one, n=number: one["route"]["routes"].pop(n))
        for index, matcher in enumerate(route["matchers"]):
            rest = without(route["matchers"], index)
            yield _changed(config, about, f"matcher {matcher} dropped", on(lambda one, r=rest: one.update(matchers=r)))
        other = next(name for name in others if name not in (route["receiver"], default))
        yield _changed(config, about, f"channel -> {other}", on(lambda one, o=other: one.update(receiver=o)))
        flipped = not route["continue"]
        what = f"continue -> {str(flipped).lower()}"
        yield _changed(config, about, what, on(lambda one, f=flipped: one.update({"continue": f})))
    yield _changed(config, "default", f"channel -> {others[0]}", lambda one: one["route"].update(receiver=others[0]))


def _of_inhibitions(config: Config) -> Iterator[Mutant]:
    routes = routing.load()
    for name, inhibition in routes.inhibitions.items():
        about = f"inhibition {name}"
        for label in inhibition.equal:
            less = inhibition.model_copy(update={"equal": [one for one in inhibition.equal if one != label]})
            changed = routes.model_copy(update={"inhibitions": {**routes.inhibitions, name: less}})
            yield Mutant(about=about, what=f"equal: {label} dropped", document=document(changed))
    for number, rule in enumerate(config["inhibit_rules"]):
        about = f"inhibit rule {number + 1}"
        for key in ("source_matchers", "target_matchers"):
            for index, matcher in enumerate(rule[key]):

                def drop(one: Config, at: tuple[int, str, int] = (number, key, index)) -> None:
                    changed = one["inhibit_rules"][at[0]]
                    changed[at[1]] = without(changed[at[1]], at[2])

                yield _changed(config, about, f"{key}: {matcher} dropped", drop)
        yield _changed(config, about, "removed", lambda one, n=number: one["inhibit_rules"].pop(n))


def _of_levels(config: Config) -> Iterator[Mutant]:
    """Mistakes in the escalation level that has mute windows, in every route that contains it."""
    for matcher in dict.fromkeys(m for level in _muted_levels(config["route"]) for m in level["matchers"]):

        def drop(one: Config, matcher: str = matcher) -> None:
            for level in _muted_levels(one["route"]):
                level["matchers"] = [other for other in level["matchers"] if other != matcher]

        yield _changed(config, "mute windows", f"matcher {matcher} dropped", drop)


def _of_windows(config: Config) -> Iterator[Mutant]:
    for number, window in enumerate(config["time_intervals"]):
        about = f"mute window {window['name']}"
        (interval,) = window["time_intervals"]

        def on(change: Callable[[dict[str, Any]], None], number: int = number) -> Change:
            return lambda one: change(one["time_intervals"][number]["time_intervals"][0])

        for place, times in enumerate(interval.get("times") or []):
            for side, hours in (("start_time", 1), ("start_time", -1), ("end_time", -1), ("end_time", 1)):
                if 0 <= int(times[side][:2]) + hours <= 24:
                    moved = f"{int(times[side][:2]) + hours:02}{times[side][2:]}"
                    change = on(lambda one, p=place, s=side, m=moved: one["times"][p].update({s: m}))
                    yield _changed(config, about, f"{side} {times[side]} -> {moved}", change)
        for place, day in enumerate(interval.get("weekdays") or []):
            rest = without(interval["weekdays"], place)
            yield _changed(config, about, f"{day} dropped", on(lambda one, r=rest: one.update(weekdays=r)))

        def unused(one: Config, name: str = window["name"]) -> None:
            for level in _muted_levels(one["route"]):
                level["mute_time_intervals"] = [other for other in level["mute_time_intervals"] if other != name]

        yield _changed(config, about, "used nowhere", unused)


def _muted_levels(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if route.get("mute_time_intervals"):
        yield route
    for child in route.get("routes") or []:
        yield from _muted_levels(child)
