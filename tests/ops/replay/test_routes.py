"""The replay of routes: virtual time, mute windows by the hour, and clear errors. Alertmanager itself is compared in
test_routes_as_alertmanager.py."""

import json
from datetime import UTC, datetime

import pytest
import yaml

from ops.errors import OpsError
from ops.replay import routes
from ops.replay.episodes import MINUTE, SECOND, Episode, Sent, parse, periods

HOUR = 60 * MINUTE
DAY = 24 * HOUR
INTERVAL = 30 * SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def config(**route: object) -> str:
    times = [{"times": [{"start_time": "00:00", "end_time": "07:00"}], "location": "Europe/Berlin"}]
    return yaml.safe_dump(
        {
            "route": {"receiver": "team", "group_by": ["alertname"], "repeat_interval": "4h", **route},
            "receivers": [{"name": "team", "webhook_configs": [{"url": "http://team.test/"}]}],
            "time_intervals": [{"name": "nights", "time_intervals": times}],
        }
    )


def fires(name: str, *spans: tuple[int, int | None], until: int, **labels: str) -> list[Episode]:
    return periods({"alertname": name, **labels}, spans, interval=INTERVAL, until=until)


def told(text: str, episodes: list[Episode], until: int) -> list[tuple[str, int, int]]:
    """(minute, firing, resolved) of every notification."""
    found = routes.notifications(text, episodes, until=until)
    clock = [datetime.fromtimestamp(one.at / 1000, UTC).strftime("%d %H:%M") for one in found]
    return [(minute, len(one.firing), len(one.resolved)) for minute, one in zip(clock, found, strict=True)]


def test_a_mute_window_holds_back_by_the_hour_of_its_own_zone() -> None:
    """Summer time in Berlin ends on 25 October 2026: 7:00 is 5:00 UTC before, and 6:00 UTC after."""
    start, end = at("2026-10-24T01:00:00"), at("2026-10-26T12:00:00")
    nights = config(routes=[{"matchers": ['alertname="Slow"'], "mute_time_intervals": ["nights"]}])
    spans = [(day + HOUR, day + 8 * HOUR) for day in (at("2026-10-24T00:00:00"), at("2026-10-26T00:00:00"))]
    found = told(nights, fires("Slow", *spans, until=end), end)
    assert found == [("24 05:00", 1, 0), ("24 08:00", 0, 1), ("26 06:00", 1, 0), ("26 08:00", 0, 1)]
    assert start == spans[0][0]


def test_an_alert_that_joins_as_the_group_is_flushed_is_in_the_message() -> None:
    """Evaluations and flushes often fall on the same instant."""
    start = at("2026-11-01T00:00:00")
    first = fires("Full", (start, None), until=start + DAY, pod="a")
    second = fires("Full", (start + 30 * SECOND, None), until=start + DAY, pod="b")
    found = routes.notifications(config(), [*first, *second], until=start + HOUR)
    assert [(one.at - start, len(one.firing)) for one in found] == [(30 * SECOND + 100, 2)]


def test_a_month_with_many_alerts_is_the_same_every_time() -> None:
    """Their times share a grid of a minute, so that thousands of events are due at the same instant."""
    start = at("2026-10-01T00:00:00")
    end = start + 30 * DAY
    episodes = [
        episode
        for number in range(1, 41)
        for episode in fires(
            f"A{number % 7}",
            *((day + number * 7 * MINUTE, day + number * 9 * MINUTE) for day in range(start, end - DAY, DAY)),
            until=end,
            pod=str(number),
        )
    ]
    first = routes.notifications(config(), episodes, until=end)
    assert len(first) > 1000
    assert first == routes.notifications(config(), episodes, until=end)


def test_nothing_is_told_after_the_end() -> None:
    start = at("2026-11-01T00:00:00")
    episodes = fires("Full", (start, None), until=start + 10 * MINUTE)
    assert told(config(), episodes, start + 5 * MINUTE) == [("01 00:00", 1, 0)]
    assert told(config(), episodes, start + 29 * SECOND) == []
    assert told(config(), [], start) == []


def test_an_episode_survives_its_line_of_json() -> None:
    (episode,) = fires("Full", (60_000, 600_000), until=HOUR, pod="ü")
    assert parse(json.loads(episode.line())) == episode


def test_prometheus_sends_an_alert_at_the_first_evaluation_after_a_minute() -> None:
    first, second = fires("Full", (0, 4 * MINUTE), (10 * MINUTE, None), until=20 * MINUTE)
    every = 90 * SECOND
    assert first.sent == (Sent(0, 3, every, 4 * MINUTE), Sent(4 * MINUTE, 4, every, 0))
    assert second.sent == (Sent(10 * MINUTE, 7, every, 4 * MINUTE),)
    assert second.ends > 20 * MINUTE
    (alone,) = fires("Full", (0, MINUTE), until=DAY)
    assert alone.sent == (Sent(0, 1, every, 4 * MINUTE), Sent(MINUTE, 11, every, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (config(receiver="nobody"), r'replay-routes: .*alertmanager\.yml: undefined receiver "nobody"'),
        ("route: [", r"replay-routes: .*alertmanager\.yml: yaml: line 1"),
    ],
)
def test_a_configuration_that_alertmanager_refuses_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(OpsError, match=message):
        routes.notifications(text, [], until=0)


def test_an_alert_without_labels_is_refused_with_its_line() -> None:
    good, bad = fires("Full", (0, None), until=DAY)[0], Episode(labels={}, starts=0, ends=1, sent=[])
    with pytest.raises(OpsError, match="line 2: an alert without labels"):
        routes.notifications(config(), [good, bad], until=DAY)
