"""Inhibitions and mute windows, asked of a real Alertmanager: what is muted is told to nobody, and the rest is."""

import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules import loader, routing
from rules.model import Rule
from tests.rules import alertmanager
from tests.rules.alertmanager import Running

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "muting.yaml").read_text())
INHIBITIONS = [case for case in CASES if "inhibition" in case]
WINDOWS = [case for case in CASES if "mute_window" in case]
INSTANTS = sorted({case["at"] for case in WINDOWS})
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@functools.cache
def rules() -> dict[str, Rule]:
    return loader.load().rules()


@functools.cache
def routes() -> routing.Routing:
    return routing.load()


def labels(case: dict[str, Any], side: str) -> dict[str, str]:
    """Labels of the alert: the rule's own, a cluster that no other case has, and those of the case."""
    rule = rules().get(case[side]["alertname"])
    own = rule.labels.model_dump(exclude_none=True) if rule else {}
    return {**own, "cluster": case["name"], **case[side]}


def shifted(config: dict[str, Any], instant: str) -> dict[str, Any]:
    """The configuration with a calendar in which it is now `instant`, such as `tuesday 03`.

    The hour comes from another time zone, the day from turning the week; the times themselves stay as they are. Within
    the hour it is as late as it is.
    """
    day, hour = instant.split()
    now = datetime.now(UTC)
    if (now.minute, now.second) > (59, 30):
        time.sleep(31)
        now = datetime.now(UTC)
    offset = (int(hour) - now.hour + 12) % 24 - 12  # hours east of UTC, from -12 to 11
    # The sign of these zones is the other way round.
    zone = f"Etc/GMT{-offset:+d}" if offset else "Etc/UTC"
    today = (now.isoweekday() + (now.hour + offset) // 24) % 7
    turn = today - DAYS.index(day)
    intervals = []
    for interval in config["time_intervals"]:
        (part,) = interval["time_intervals"]
        assert not {"days_of_month", "months", "years"} & set(part), "a date cannot be shifted like this"
        assert part["location"] == "UTC"
        turned = {
            **part,
            **({"weekdays": [turned_day(name, turn) for name in part["weekdays"]]} if "weekdays" in part else {}),
            "location": zone,
        }
        intervals.append({"name": interval["name"], "time_intervals": [turned]})
    return config | {"time_intervals": intervals}


def turned_day(name: str, turn: int) -> str:
    return DAYS[(DAYS.index(name) + turn) % 7]


@pytest.fixture(scope="module")
def inhibitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Alertmanager, with the alerts of every inhibition's case firing; all told that is ever told."""
    config = alertmanager.document()
    for interval in config.pop("time_intervals"):  # whatever time it is
        for level in [level for route in config["route"]["routes"] for level in [route, *route.get("routes", [])]]:
            if interval["name"] in level.get("mute_time_intervals", []):
                level["mute_time_intervals"].remove(interval["name"])
    with alertmanager.running(config, tmp_path_factory.mktemp("inhibitor")) as found:
        found.fire(*(labels(case, side) for case in INHIBITIONS for side in ("source", "target")))
        found.settle()
        yield found


@pytest.mark.parametrize("case", INHIBITIONS, ids=lambda case: f"{case['inhibition']}: {case['name']}")
def test_inhibition(inhibitor: Running, case: dict[str, Any]) -> None:
    source, target = labels(case, "source"), labels(case, "target")
    expected = set(routes().channels_for(target))
    assert inhibitor.receivers(source) == set(routes().channels_for(source)), "the source itself is told"
    assert bool(inhibitor.status(target)["inhibitedBy"]) is case["muted"]
    assert inhibitor.receivers(target) == (set() if case["muted"] else expected)


@pytest.fixture(scope="module", params=INSTANTS)
def clock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Running]]:
    """An instant, and Alertmanager for which it is now, with the alerts of the instant's cases firing."""
    config = shifted(alertmanager.document(), request.param)
    with alertmanager.running(config, tmp_path_factory.mktemp("clock")) as found:
        found.fire(*(labels(case, "alert") for case in WINDOWS if case["at"] == request.param))
        found.settle()
        yield request.param, found


def test_mute_windows(clock: tuple[str, Running]) -> None:
    instant, found = clock
    for case in [case for case in WINDOWS if case["at"] == instant]:
        alert = labels(case, "alert")
        expected = set(routes().channels_for(alert))
        assert found.receivers(alert) == (set() if case["muted"] else expected), case["name"]
        assert (case["mute_window"] in found.status(alert)["mutedBy"]) is case["muted"], case["name"]


def test_every_inhibition_and_window_has_a_case_for_and_against_it() -> None:
    routes = routing.load()
    wanted = [("inhibition", name) for name in routes.inhibitions] + [
        ("mute_window", name) for name in routes.mute_windows
    ]
    for kind, name in wanted:
        assert {case["muted"] for case in CASES if case.get(kind) == name} == {True, False}, name
    named = {(kind, case[kind]) for case in CASES for kind in ("inhibition", "mute_window") if kind in case}
    assert named == set(wanted)


def test_the_names_of_the_cases_tell_them_apart() -> None:
    names = [(case.get("inhibition"), case["name"]) for case in CASES]
    assert len(set(names)) == len(names)
    assert all(set(case) >= {"name", "muted"} for case in CASES)


def test_a_stack_without_mute_windows_has_none() -> None:
    secrets = dict.fromkeys(routes().secrets(), "http://127.0.0.1:9")
    mail = routing.Mail(smarthost="127.0.0.1:9", sender="a@example.com")
    text = routing.render(routes(), alertmanager.TIMING, secrets, mail=mail, mute_windows=False)
    assert "time_intervals" not in text
    assert "time_intervals" in routing.render(routes(), alertmanager.TIMING, secrets, mail=mail)
