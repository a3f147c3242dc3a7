"""A storm of alerts at three Alertmanagers, which agree by gossip on who notifies: no receiver is told twice."""

import time
from collections import Counter
from pathlib import Path

from alerting import crowds, routing
from alerting.routing import notified
from tools.rule_tests import alertmanager

PEER_TIMEOUT = 5
"""Seconds; deployed are 15."""
CAUSE = {"alertname": "JobQueueDepthHigh", "severity": "warning", "system": "job-queue", "team": "backend"}


def test_a_thousand_alerts_are_one_message_for_each_channel_of_all_replicas(tmp_path: Path) -> None:
    storm = [
        CAUSE | {"page": "false", "namespace": "jobs", "queue": f"q{number}", crowds.LABEL: "true"}
        for number in range(1000)
    ]
    config = alertmanager.document(mute_windows=False)
    with alertmanager.running(config, tmp_path, replicas=3, peer_timeout=f"{PEER_TIMEOUT}s") as found:
        found.fire(*storm)
        found.settle()
        time.sleep(2 * PEER_TIMEOUT + 1)  # until the last replica would have notified
        told = [one for one in found.messages if one.alerts[0].get("system") == CAUSE["system"]]
    channels = notified.channels(routing.load(), storm[0])
    assert Counter(one.receiver for one in told) == Counter(channels)
    assert [len(one.alerts) for one in told] == [1000] * len(channels)
