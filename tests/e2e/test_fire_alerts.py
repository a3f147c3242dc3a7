"""Alerts of every system fire through the real pipeline, reach each of their channels, and resolve."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC
from pathlib import Path

import pytest

from alerting.model import LogRule
from alerting.routing.kinds import KINDS
from alerting.routing.tree import HEARTBEAT
from local.paths import ROOT
from ops.clients.kube import service_url
from ops.clients.signals import Delivery, Receiver
from ops.drills import kill_drill
from ops.drills.deployed import ALWAYS_FIRES, content
from ops.drills.faults import REAL
from ops.drills.plan import from_files
from ops.drills.wait_times import OWN_HISTORY, RISES
from ops.environment import LOCAL, load
from ops.replay import comparison, deployed, incident
from ops.replay.comparison import Change
from ops.replay.episodes import MINUTE, SECOND, Episode
from ops.replay.evaluation import Sources
from ops.replay.routes import Notification
from settings.apps import LOKI, PROMETHEUS
from tests.e2e import drill
from tests.e2e.conftest import pods_stay
from tests.e2e.sample import sample

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("drill")]
# Left out are alerts whose faults change the cluster itself, one at a time, or begin slowly; alerts that fire by
# themselves on a machine as busy as these tests make it; the alert that the kill drill fires at the same time; and one
# that compares with its own last hour, in which these tests may have run before.
LEFT_OUT = {
    *(*REAL, *RISES, *OWN_HISTORY, "NodeCPUHigh", "ApiLatencyHigh", kill_drill.ALERT),
}
FILES = content(load(LOCAL))
ALL = [
    plan
    for plan in from_files(FILES, load(LOCAL), list(FILES.rules))
    if plan.alert not in LEFT_OUT and FILES.enabled(plan.alert)
]
PLANS = {plan.alert: plan for plan in sample(ALL)}
"""The alerts that this test fires. `make fire-alerts` fires all, including those that are left out above."""
SAME = 0.99
"""Share of the messages of both that must be the same, or differ for a known reason."""
BEFORE = 10 * MINUTE
MOMENT = 10 * SECOND
"""Two evaluations, and two intervals of a group."""


def test_the_sample_covers_every_system_and_every_channel() -> None:
    assert {plan.system for plan in PLANS.values()} == {FILES.system(name) for name in FILES.rules}
    channels = {channel for plan in PLANS.values() for channel in plan.channels}
    assert channels == set(FILES.routing.channels)
    assert {type(FILES.routing.channels[one].kind) for one in channels} == {
        KINDS[name] for name in ("slack", "webhook", "email", "pagerduty")
    }
    assert {plan.engine for plan in PLANS.values()} == {"prometheus", "loki"}


def test_every_alert_is_delivered_and_resolved() -> None:
    """The time of delivery is not tested here; `make fire-alerts` and `make bench` measure it."""
    report = drill.record(PLANS).report
    assert {alert["alert"] for alert in report["alerts"]} == set(PLANS)
    assert report["left_out"] == {}
    assert [alert["verdict"] for alert in report["alerts"] if not alert["ok"]] == []
    for alert in report["alerts"]:
        channels = set(PLANS[alert["alert"]].channels)
        assert set(alert["delivered"]) == set(alert["channels"]) == channels, alert["alert"]
        resolving = {channel for channel in channels if FILES.resolves(channel)}
        if alert["alert"] != ALWAYS_FIRES and not alert["not_awaited"]:
            assert set(alert["resolved"]) == resolving, alert["alert"]


def test_every_channel_with_resolved_notifications_got_one() -> None:
    notified = {channel for alert in drill.record(PLANS).report["alerts"] for channel in alert["resolved"]}
    assert notified == {channel for channel in FILES.routing.channels if FILES.resolves(channel)}


def test_the_page_shows_every_alert_and_no_failure() -> None:
    found = drill.record(PLANS)
    assert f"{len(PLANS)} of {len(PLANS)} alerts delivered" in found.report["summary"]
    assert found.page.startswith("<!doctype html>")
    assert [name for name in PLANS if name not in found.page] == []
    assert "FAILED" not in found.page


def test_the_report_is_also_in_its_default_folder() -> None:
    found = drill.record(PLANS)
    folder = Path(ROOT, ".state/fire-alerts")
    assert json.loads((folder / "report.json").read_text()) == found.report
    assert (folder / "report.html").read_text() == found.page


def test_a_replay_names_the_messages_of_the_drill() -> None:
    report = drill.record(PLANS).report
    since = round(report["began"] * SECOND)
    until = since + round(report["seconds"] * SECOND)
    here = load(LOCAL)
    with pods_stay(), ExitStack() as forwards:
        url = {
            name: forwards.enter_context(service_url(here.cluster(), service))
            for name, service in (
                ("prometheus", here.service(PROMETHEUS)),
                ("loki", here.service(LOKI)),
                ("receiver", here.services()["receiver"]),
            )
        }
        commit = deployed.read(ROOT, LOCAL, name="this checkout")
        sources = Sources(prometheus=url["prometheus"], loki=url["loki"])
        begun = time.monotonic()
        replayed = incident.replay(commit, sources, since=since, until=until, before=BEFORE)
        seconds = time.monotonic() - begun
        received = [as_notification(one) for one in Receiver(url["receiver"]).deliveries(report["began"])]
    real = [one for one in received if one.at <= until and HEARTBEAT not in one.names]
    found = comparison.pairs(real, replayed.notifications, since, UTC)
    # The drill ends at `until`: the counterpart of a message right before that may come after it, and is not there.
    ended = [pair for pair in found if pair.any.told.at <= until - MOMENT]
    # Other tests break pods of their own meanwhile, and when the alerts about them begin and end is left to chance.
    pairs = [pair for pair in ended if not PLANS.keys().isdisjoint(pair.any.told.names)]
    counts = Counter(
        "explained" if _waited_for_lines(pair) or _of_a_moment(pair, real) else pair.change.value for pair in pairs
    )
    share = (counts["same"] + counts["explained"]) / len(pairs)
    differences = "\n".join(shown(pairs))
    print(f"{len(real)} received, {len(replayed.notifications)} replayed in {seconds:.1f} s")
    print(f"{share:.1%} the same or explained: {dict(counts)}")
    print(differences)
    assert len(pairs) > len(PLANS)
    assert replayed.not_replayed == {}
    assert share >= SAME, differences


def _waited_for_lines(pair: comparison.Pair) -> bool:
    """Whether it is about log lines: an evaluation of Loki lacks lines on their way, which a replay finds stored."""
    about_lines = all(isinstance(FILES.rules[name], LogRule) for name in pair.any.told.names)
    return pair.change is Change.MOVED and about_lines and abs(pair.later) <= 2 * MINUTE


def _of_a_moment(pair: comparison.Pair, real: Sequence[Notification]) -> bool:
    """Whether it was received right before or after another message about the same.

    At the end of an alert, the second Prometheus may send it once more, and a repeat may be due at the same instant.
    """
    told = pair.any.told
    near = [one for one in real if (one.receiver, one.names) == (told.receiver, told.names)]
    return pair.change is Change.LOST and any(0 < abs(one.at - told.at) <= MOMENT for one in near)


def as_notification(one: Delivery) -> Notification:
    """A delivery in the form of a replay; the receiver does not record the group."""
    episodes = [
        (alert["status"], Episode(labels={"alertname": alert["alertname"]}, starts=0, ends=0, sent=()))
        for alert in one.alerts
    ]
    return Notification(
        at=round(one.received_at * SECOND),
        receiver=one.receiver,
        kind=one.kind,
        group={},
        firing=[episode for status, episode in episodes if status == "firing"],
        resolved=[episode for status, episode in episodes if status != "firing"],
    )


def shown(pairs: Sequence[comparison.Pair]) -> list[str]:
    """The messages that are not the same, one a line."""
    return [
        f"{pair.change.value}: {pair.any.told.receiver} {', '.join(pair.any.told.names)} "
        f"{'firing' if pair.any.firing else 'resolved'} at {pair.any.told.at / SECOND:.0f}, "
        f"later {pair.later / SECOND:.0f}"
        for pair in pairs
        if pair.change is not Change.SAME
    ]
