"""Inhibitions and mute windows, asked of a real Alertmanager: what is muted is told to nobody, and the rest is."""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from alerting import loader, routing
from alerting.model import Rule
from alerting.routing import notified
from tools.programs import eventually
from tools.rule_tests import alertmanager, muting_cases
from tools.rule_tests.alertmanager import Running
from tools.rule_tests.mute_times import shifted

CASES = muting_cases.load()
INHIBITIONS = [case for case in CASES if "inhibition" in case]
WINDOWS = [case for case in CASES if "mute_window" in case]
INSTANTS = sorted({case["at"] for case in WINDOWS})


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


@pytest.fixture(scope="module")
def inhibitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Alertmanager, with the alerts of every inhibition's case firing; all told that is ever told."""
    config = alertmanager.document(mute_windows=False)  # whatever time it is
    with alertmanager.running(config, tmp_path_factory.mktemp("inhibitor")) as found:
        found.fire(*(labels(case, side) for case in INHIBITIONS for side in ("source", "target")))
        found.settle()
        yield found


@pytest.mark.parametrize("case", INHIBITIONS, ids=lambda case: f"{case['inhibition']}: {case['name']}")
def test_inhibition(inhibitor: Running, case: dict[str, Any]) -> None:
    source, target = labels(case, "source"), labels(case, "target")
    expected = set(notified.channels(routes(), target))
    assert inhibitor.receivers(source) == set(notified.channels(routes(), source)), "the source itself is told"
    assert bool(inhibitor.status(target)["inhibitedBy"]) is case["muted"]
    assert inhibitor.receivers(target) == (set() if case["muted"] else expected)


def wrong_at(instant: str, folder: Path) -> list[str]:
    """What comes out otherwise than the cases of an instant say, in an Alertmanager for which it is that instant."""
    cases = [case for case in WINDOWS if case["at"] == instant]
    wrong: list[str] = []
    with alertmanager.running(shifted(alertmanager.document(), instant), folder) as found:
        found.fire(*(labels(case, "alert") for case in cases))
        found.settle()
        for case in cases:
            alert = labels(case, "alert")
            told, muted_by = found.receivers(alert), found.status(alert)["mutedBy"]
            expected = set() if case["muted"] else set(notified.channels(routes(), alert))
            if told != expected or (case["mute_window"] in muted_by) is not case["muted"]:
                wrong.append(f"{instant}: {case['name']}: told {told}, not {expected}; muted by {muted_by}")
    return wrong


def test_mute_windows(tmp_path: Path) -> None:
    """All instants at once, because each is seconds of waiting."""
    folders = [tmp_path / instant.replace(" ", "-") for instant in INSTANTS]
    with ThreadPoolExecutor(len(INSTANTS)) as pool:
        assert [line for lines in pool.map(wrong_at, INSTANTS, folders) for line in lines] == []


def test_an_alert_that_ends_within_a_silence_is_never_told_as_resolved(tmp_path: Path) -> None:
    """Alertmanager's design, which docs/content.md tells: a change of it would make the sentence wrong."""
    config = alertmanager.document(mute_windows=False)
    config["route"]["group_interval"] = "1s"
    rule = rules()["JobQueueDepthHigh"]
    own = {**rule.labels.model_dump(exclude_none=True), "alertname": "JobQueueDepthHigh"}
    silenced, heard = ({**own, "cluster": name, "queue": name} for name in ("silenced", "heard"))
    with alertmanager.running(config, tmp_path) as found:
        found.fire(silenced, heard)
        found.settle()
        channels = found.receivers(heard)
        assert found.receivers(silenced) == channels != set()
        silence = found.silence({"cluster": "silenced"})
        found.end(silenced, heard)
        for channel in channels:
            eventually(lambda told=channel: found.notifications.count((told, heard)) == 2, what=f"{channel} hears it")
        found.expire(silence)
        found.settle()
    assert [found.notifications.count((channel, silenced)) for channel in channels] == [1] * len(channels)


def test_every_inhibition_and_window_has_a_case_for_and_against_it() -> None:
    """In the file: what follows from an inhibition says nothing of whether it is the right one."""
    routes, cases = routing.load(), muting_cases.written()
    wanted = [("inhibition", name) for name in routes.inhibitions] + [
        ("mute_window", name) for name in routes.mute_windows
    ]
    for kind, name in wanted:
        assert {case["muted"] for case in cases if case.get(kind) == name} == {True, False}, name
    named = {(kind, case[kind]) for case in cases for kind in ("inhibition", "mute_window") if kind in case}
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
