"""Who is notified of an alert, and what mutes it, from a configuration; test_routing.py asks amtool the same."""

from typing import Any

import pytest

from alerting.routing import notified
from alerting.routing.notified import check, holds, mutes, notifications, possible

CONFIG: dict[str, Any] = {
    "route": {
        "receiver": "fallback",
        "group_wait": "30s",
        "group_interval": "5m",
        "routes": [
            {"receiver": "switch", "matchers": ['alertname="Watchdog"'], "group_wait": "0s"},
            {
                "receiver": "chat",
                "matchers": ['system=~"job-queue|media"'],
                "continue": True,
                "group_wait": "10s",
                "routes": [{"matchers": ['severity="info"'], "group_interval": "1h"}],
            },
            {"receiver": "hook", "matchers": ['system="job-queue"', 'page!="true"'], "group_interval": "1m"},
            {"receiver": "never", "matchers": ['system="job-queue"']},
        ],
    }
}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"alertname": "Watchdog"}, {"switch": ("0s", "5m")}),
        ({"alertname": "A", "system": "job-queue", "page": "false"}, {"chat": ("10s", "5m"), "hook": ("30s", "1m")}),
        ({"alertname": "A", "system": "job-queue", "page": "true"}, {"chat": ("10s", "5m"), "never": ("30s", "5m")}),
        ({"alertname": "A", "system": "media", "severity": "info"}, {"chat": ("10s", "1h")}),
        ({"alertname": "A", "system": "job"}, {"fallback": ("30s", "5m")}),
    ],
)
def test_routes_are_followed_as_alertmanager_does(labels: dict[str, str], expected: dict[str, tuple[str, str]]) -> None:
    found = notifications(CONFIG, labels)
    assert {one.channel: (one.group_wait, one.group_interval) for one in found} == expected


def test_a_child_inherits_everything_but_the_mute_windows() -> None:
    below = {"matchers": ['severity="info"']}
    route = {"receiver": "a", "repeat_interval": "2h", "mute_time_intervals": ["nights"], "routes": [below]}
    (info,) = notifications({"route": route}, {"severity": "info"})
    (other,) = notifications({"route": route}, {})
    assert (info.channel, info.repeat_interval, info.mute) == ("a", "2h", ())
    assert other.mute == ("nights",)


@pytest.mark.parametrize("place", ["route", "child", "inhibition"])
def test_a_matcher_that_cannot_be_read_is_an_error(place: str) -> None:
    wrong = {"matchers": ["???"]}
    route: dict[str, Any] = {"receiver": "a", "routes": [{"routes": [wrong]} if place == "child" else wrong]}
    config = {"route": route} if place != "inhibition" else {"route": {}, "inhibit_rules": [{"source_matchers": ["?"]}]}
    with pytest.raises(ValueError, match=r"'\?+' is not a matcher that can be read here"):
        check(config)
    check(CONFIG)


@pytest.mark.parametrize(
    ("matcher", "matching", "other"),
    [('a="x"', "x", "xx"), ('a!="x"', "", "x"), ('a=~"x|y"', "y", "xy"), ('a!~"x.*"', "y", "xy"), ('"a" = x', "x", "")],
)
def test_every_operator_of_a_matcher(matcher: str, matching: str, other: str) -> None:
    assert holds([matcher], {"a": matching})
    assert not holds([matcher], {"a": other})


def test_channels_that_depend_on_labels_of_series_are_named_with_them() -> None:
    routes = [
        {"receiver": "topics", "matchers": ['system="a"', 'topic=~"x|y"']},
        {"receiver": "other", "matchers": ['system="b"', 'topic="x"']},
        {"receiver": "also", "matchers": ['system="a"', 'page="true"'], "continue": True},
        {"receiver": "all", "matchers": ['system="a"']},
        {"receiver": "never", "matchers": ['system="a"', 'node="n"']},
    ]
    config = {"route": {"receiver": "default", "routes": routes}}
    assert list(possible(config, {"system": "a", "page": "true"})) == ["topics where topic=x|y"]
    assert [one.channel for one in notifications(config, {"system": "a", "page": "true"})] == ["also", "all"]
    assert notified.has_route(config, {"system": "a"})
    assert not notified.has_route(config, {"system": "c"})


RULE = {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="info"'], "equal": ["system", "node"]}


def test_an_alert_mutes_another_that_agrees_with_it() -> None:
    source, target = {"severity": "critical", "system": "a"}, {"severity": "info", "system": "a"}
    assert mutes(RULE, source, target)
    assert not mutes(RULE, target, source)
    assert not mutes(RULE, source, {**target, "node": "n"})
    assert mutes(RULE, source, {**target, "node": "n"}, from_rules=True), "the source's series may have the node, too"
    assert not mutes(RULE, {**source, "system": "b"}, target, from_rules=True)


def test_two_alerts_that_match_both_sides_do_not_mute_each_other() -> None:
    rule = {"source_matchers": ['a="x"'], "target_matchers": ['b="x"'], "equal": []}
    both, one = {"a": "x", "b": "x"}, {"a": "x"}
    assert not mutes(rule, both, {**both, "c": "x"})
    assert mutes(rule, one, both)
    assert mutes(rule, {"a": "x"}, {"b": "x"}, from_rules=True), "series decide whether they match both"
