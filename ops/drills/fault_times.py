"""How long faults need: until an alert's condition is true, and until it is false again. Pure.

Most faults of the simulator tip a rate's whole window at the first scrape, and most windows empty within minutes. The
tables here are the exceptions.
"""

import math
import re
from collections.abc import Collection, Mapping

from alerting.model import Rule
from ops.clients.signals import seconds

ERROR_LOG_BURST = "SpecCursorErrorLogBurst"
ERROR_LOG_ANOMALOUS = "SpecCursorErrorLogAnomalous"
ERROR_LINES = {ERROR_LOG_BURST: 30.0, ERROR_LOG_ANOMALOUS: 600.0}
"""Lines a minute that the simulator's faults write."""
LINES_ARRIVE = 10.0
"""Seconds from a log line to its place in Loki: an agent finds it, then two queues collect a batch each."""
RISES = {"MediaClusterJobsStalled": 600.0}
"""Alert -> seconds until its condition is true: it wants ten minutes without a success."""
EVALUATIONS = {"MediaClusterNoiseHigh": 3}
"""Alert -> evaluations in a row that must see its fault: it counts runs, of which each evaluation sees at most one."""
WINDOWS = {"SpecCursorTokenUsageHigh": 3600.0}
"""Alert -> seconds until its fault is forgotten, where the expression does not say it.

Others read long windows, too, but their faults end with so much success that the trouble is a small part of it.
"""
LONGEST_RANGE = 1800.0
"""Seconds: a longer range in an expression looks for what was once there, and empties nothing."""
SHORTEST_PATIENCE = 300.0
"""Seconds that a condition may always take to become false again."""
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_RANGE = re.compile(r"\[([0-9a-z]+)(?::[0-9a-z]*)?\]")


def rise(rule: Rule, thresholds: Mapping[str, float]) -> float:
    """Seconds until the fault behind an alert has made its condition true.

    The simulated counters jump with a fault; log lines come one by one. A rule that wants a mean of its window of 5m of
    10 lines a minute is true after 50 lines, which 30 lines a minute are in 100 s.
    """
    if rule.alert == ERROR_LOG_BURST:
        return window(rule, {}) * thresholds["lines_per_minute"] / ERROR_LINES[ERROR_LOG_BURST]
    if rule.alert == ERROR_LOG_ANOMALOUS:
        return 60 * thresholds["lines_in_10m"] / ERROR_LINES[ERROR_LOG_ANOMALOUS]
    return RISES.get(rule.alert, 0.0)


def window(rule: Rule, recordings: Mapping[str, str]) -> float:
    """Seconds of the longest range that must empty before the condition is false again.

    `recordings` are the expressions of the recorded series by name: their ranges count where the rule reads them.
    """
    if rule.alert in WINDOWS:
        return WINDOWS[rule.alert]
    ranges = [seconds(text) for text in _RANGE.findall(" ".join(_expressions(rule.expr, recordings)))]
    return max((found for found in ranges if found <= LONGEST_RANGE), default=0.0)


def held(for_: float, evaluation: float) -> float:
    """Seconds that `for` takes: the alert fires at the first evaluation after it."""
    return math.ceil(for_ / evaluation) * evaluation if evaluation else for_


def recorded_names(expression: str, recordings: Collection[str]) -> set[str]:
    """Which of the recorded series an expression reads itself."""
    return set(_NAME.findall(expression)) & set(recordings)


def _expressions(expression: str, recordings: Mapping[str, str]) -> list[str]:
    """The expression and those behind the recorded series that it reads, directly or by others."""
    read = recorded_names(expression, recordings)
    others = {name: text for name, text in recordings.items() if name not in read}
    return [expression, *(text for name in sorted(read) for text in _expressions(recordings[name], others))]


def words(duration: float) -> str:
    """A duration in seconds as people write it: `90s`, `15m`, `6h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if duration >= size and duration % size == 0:
            return f"{duration / size:g}{unit}"
    return f"{duration:g}s"
