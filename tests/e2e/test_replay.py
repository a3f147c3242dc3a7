"""A replay of the drill names the messages that the receiver got: the same receiver, alert and minute."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC

import pytest

from alerting.files import ROOT
from alerting.routing.tree import HEARTBEAT
from ops.clients.kube import service_url
from ops.clients.signals import Delivery, Receiver
from ops.environment import LOCAL, load
from ops.replay import comparison, deployed, incident
from ops.replay.comparison import Change
from ops.replay.episodes import MINUTE, SECOND, Episode
from ops.replay.evaluation import Sources
from ops.replay.routes import Notification
from settings.apps import LOKI, PROMETHEUS
from tests.e2e import drill
from tests.e2e.test_fire_alerts import PLANS

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("drill")]
LEAST = 0.99
"""Share of the messages of both that must be the same."""
BEFORE = 10 * MINUTE


def test_a_replay_names_the_messages_of_the_drill() -> None:
    report = drill.record(PLANS).report
    since = round(report["began"] * SECOND)
    until = since + round(report["seconds"] * SECOND)
    here = load(LOCAL)
    with ExitStack() as forwards:
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
    pairs = comparison.pairs(real, replayed.notifications, since, UTC)
    counts = Counter(pair.change for pair in pairs)
    share = counts[Change.SAME] / len(pairs)
    differences = "\n".join(shown(pairs))
    print(f"{len(real)} received, {len(replayed.notifications)} replayed in {seconds:.1f} s, {share:.1%} the same")
    print(differences)
    assert len(real) > len(PLANS)
    assert replayed.not_replayed == {}
    assert share >= LEAST, differences


def as_notification(one: Delivery) -> Notification:
    """A delivery in the form of a replay; the receiver does not record the group."""
    episodes = [
        (alert["status"], Episode(labels={"alertname": alert["alertname"]}, starts=0, ends=0, sent=()))
        for alert in one.alerts
    ]
    return Notification(
        at=round(one.received_at * SECOND),
        receiver=one.channel,
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
