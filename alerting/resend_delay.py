"""How often Loki's ruler repeats a firing alert."""

import math
from collections.abc import Mapping

import yaml

from alerting.durations import seconds

# Seconds that a replica may be away while its alerts stay firing: a restart with a write-ahead log to replay.
_RESTART = 180


def resend_delay(rule_files: Mapping[str, str], evaluation_interval: str) -> str:
    """Pause after which the ruler sends a firing alert again, so that a restart of Loki does not resolve the alert.

    A restarted ruler waits `for` again: Loki restores no state for alerts with labels of their own, whatever its grace
    period. Alertmanager resolves an alert four pauses after it was last sent. When Loki stops, up to one of them has
    passed; the other three must cover the restart, `for`, and the evaluations around it.

    Whole minutes, so that few changes of a rule restart Loki.
    """
    groups = [group for text in rule_files.values() for group in yaml.safe_load(text)["groups"]]
    waits = [
        seconds(rule.get("for", "0s")) + 3 * seconds(group.get("interval", evaluation_interval))
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    ]
    return f"{max(1, math.ceil((_RESTART + max(waits, default=0)) / 3 / 60))}m"
