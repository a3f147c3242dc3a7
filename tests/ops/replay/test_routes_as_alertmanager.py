"""The replay of routes tells the same notifications as a real Alertmanager that gets the same alerts.

Groups are flushed 2, 6, 10, 14 and 18 seconds after the start; alerts change in the middle between two flushes, so that
a busy machine may be 2 seconds late.
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import yaml

from local.ports import free_port
from ops.replay import routes
from ops.replay.episodes import SECOND, Episode, Sent
from tools.http_server import Handler, serving
from tools.programs import Server

UNTIL = 20 * SECOND
# Start and end of each alert, in seconds after the start of the replay; an end of None is after the replay.
CASES: dict[str, Sequence[tuple[dict[str, str], int, int | None]]] = {
    "repeats": [({}, 0, None)],
    "joins its group, and leaves it": [({"pod": "a"}, 0, 8), ({"pod": "b"}, 4, None)],
    "has groups of its own": [({"system": "x"}, 0, None), ({"system": "y"}, 0, 4)],
    "is inhibited until its source ends": [
        ({"severity": "critical", "subject": "disk"}, 0, 8),
        ({"severity": "warning", "subject": "disk", "system": "below"}, 0, None),
    ],
    "is muted": [({"severity": "info", "window": "now"}, 0, None)],
    "is outside its mute window": [({"severity": "info", "window": "never"}, 0, None)],
    "notifies two receivers": [({"page": "true"}, 0, 4)],
    "has a receiver that wants no resolution": [({"team": "silent"}, 0, 4)],
    "fires again": [({}, 0, 4), ({}, 12, None)],
    "started long ago": [({"since": "long"}, 4, None)],
    "is lost by Prometheus": [({"lost": "true"}, 0, None)],
}


def config(url: str) -> dict[str, Any]:
    def receiver(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "webhook_configs": [{"url": url, **more}]}

    always = {"times": [{"start_time": "00:00", "end_time": "24:00"}]}
    return {
        "route": {
            "receiver": "team",
            "group_by": ["alertname", "system"],
            "group_wait": "2s",
            "group_interval": "4s",
            "repeat_interval": "5s",
            "routes": [
                {"matchers": ['window="now"'], "mute_time_intervals": ["now"]},
                {"matchers": ['window="never"'], "mute_time_intervals": ["never"]},
                {"matchers": ['page="true"'], "receiver": "pager", "continue": True},
                {"matchers": ['page="true"'], "receiver": "team"},
                {"matchers": ['team="silent"'], "receiver": "silent"},
            ],
        },
        "receivers": [receiver("team"), receiver("pager"), receiver("silent", send_resolved=False)],
        "time_intervals": [
            {"name": "now", "time_intervals": [always]},
            {"name": "never", "time_intervals": [always | {"years": ["2001"]}]},
        ],
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"'],
                "target_matchers": ['severity="warning"'],
                "equal": ["subject"],
            }
        ],
    }


def episodes(start: int) -> list[Episode]:
    """The alerts of all cases. A firing alert is valid for 30 s, or, if Prometheus loses it, for 4 s."""
    result: list[Episode] = []
    for name, alerts in CASES.items():
        for labels, first, last in alerts:
            ends = start + (last or 100) * SECOND
            valid = 4 * SECOND if "lost" in labels else 30 * SECOND
            sent = [Sent(start + first * SECOND, 1, SECOND, valid)]
            if last is not None:
                sent.append(Sent(ends, 1, SECOND, 0))
            since = start + first * SECOND - (60 * SECOND if "since" in labels else 0)
            result.append(Episode(labels={"alertname": name, **labels}, starts=since, ends=ends, sent=sent))
    return result


Message = tuple[list[str], list[str]]
"""The firing and the resolved alerts of a notification."""
Told = Mapping[str, Sequence[tuple[str, str, Message]]]
"""Name of the alert -> (receiver, labels of the group, message) of each notification."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Told]:
    """What the real Alertmanager and what the replay tells."""
    folder, port = tmp_path_factory.mktemp("alertmanager"), free_port()
    bodies: list[dict[str, Any]] = []

    class Receiver(Handler):
        def respond(self) -> None:
            bodies.append(json.loads(self.body()))
            self.answer(200)

    with serving(Receiver) as receiver:
        text = yaml.safe_dump(config(receiver))
        (folder / "alertmanager.yml").write_text(text)
        arguments = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--storage.path=data"]
        url = f"http://127.0.0.1:{port}"
        with Server("alertmanager", ["--config.file=alertmanager.yml", *arguments], folder, f"{url}/-/ready"):
            start = int(time.time() * 1000)
            alerts = episodes(start)
            _send(alerts, url)
            _sleep_until(start + UNTIL)
            real = list(bodies)
    replayed = routes.notifications(text, alerts, until=start + UNTIL)
    return _told([_of_body(body) for body in real]), _told([_of_replay(one) for one in replayed])


def _send(alerts: Sequence[Episode], url: str) -> None:
    times: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in alerts:
        for sent in one.sent:
            ends = sent.first + sent.valid if sent.valid else one.ends
            document = {"labels": one.labels, "startsAt": _rfc3339(one.starts), "endsAt": _rfc3339(ends)}
            times[sent.first].append(document)
    for at, documents in sorted(times.items()):
        _sleep_until(at)
        httpx.post(f"{url}/api/v2/alerts", json=documents).raise_for_status()


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _sleep_until(at: int) -> None:
    time.sleep(max(at / 1000 - time.time(), 0))


def _of_body(body: Mapping[str, Any]) -> tuple[str, Mapping[str, str], Message]:
    def alerts(status: str) -> list[str]:
        return sorted(str(sorted(one["labels"].items())) for one in body["alerts"] if one["status"] == status)

    return body["receiver"], body["groupLabels"], (alerts("firing"), alerts("resolved"))


def _of_replay(one: routes.Notification) -> tuple[str, Mapping[str, str], Message]:
    firing, resolved = (
        sorted(str(sorted(episode.labels.items())) for episode in side) for side in (one.firing, one.resolved)
    )
    return one.receiver, one.group, (firing, resolved)


def _told(notifications: Sequence[tuple[str, Mapping[str, str], Message]]) -> Told:
    """By alert; groups are independent of each other, so only the order within one counts."""
    result: dict[str, list[tuple[str, str, Message]]] = defaultdict(list)
    for receiver, group, message in notifications:
        result[group["alertname"]].append((receiver, str(sorted(group.items())), message))
    return {name: sorted(found, key=lambda one: one[:2]) for name, found in result.items()}


@pytest.mark.parametrize("case", CASES)
def test_an_alert_that(case: str, both: tuple[Told, Told]) -> None:
    real, replayed = both
    assert replayed.get(case) == real.get(case)
    assert (case in real) == (case != "is muted"), "the case shows nothing"


def test_the_cases_differ(both: tuple[Told, Told]) -> None:
    """Number of notifications that the real Alertmanager sends; a case that is too short would compare nothing."""
    real, _ = both
    assert {name: len(found) for name, found in real.items()} == {
        "repeats": 3,
        "joins its group, and leaves it": 4,
        "has groups of its own": 5,
        "is inhibited until its source ends": 4,
        "is outside its mute window": 3,
        "notifies two receivers": 4,
        "has a receiver that wants no resolution": 1,
        "fires again": 3,
        "started long ago": 2,
        "is lost by Prometheus": 2,
    }
