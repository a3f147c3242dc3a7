"""How long a fault takes to make an alert's condition true, and how long it then takes to become false again. Pure.

Most faults of the simulator fill a rate's whole window at the first scrape, and most windows empty within minutes. The
tables here list the exceptions.
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
"""Seconds from writing a log line until Loki stores it: an agent reads it, then two queues each collect a batch."""
RISES = {
    "MediaClusterJobsStalled": 600.0,
    "TargetDown": 60.0,
    "ApiServiceDown": 120.0,
    "SpecCursorServiceDown": 120.0,
    "MediaClusterDown": 120.0,
}
"""Maps alerts to seconds until their condition is true: ten minutes without a success; more than half of the scrapes of
two minutes without an answer; two minutes without a target."""
OWN_HISTORY = (ERROR_LOG_ANOMALOUS, "SpecCursorUpgradeFailureRateAnomalous")
"""Alerts that compare with their own last hours or days. A second fault within hours may be nothing unusual to them."""
EVALUATIONS = {"MediaClusterNoiseHigh": 3}
"""Maps alerts to the number of consecutive evaluations that must see the fault. This one counts runs, and each
evaluation sees at most one."""
WINDOWS = {"SpecCursorTokenUsageHigh": 3600.0, "PodCrashLooping": 300.0}
"""Maps alerts to seconds until the fault leaves their window, if the expression does not show the window. The container
that ends again and again is removed, and counts no longer.

Other alerts also read long windows, but their faults end with so many successes that the errors become a small share.
"""
LONGEST_RANGE = 1800.0
"""Seconds. Longer ranges in an expression only check that a series existed; the drill does not wait for them to
empty."""
SHORTEST_EMPTYING = 300.0
"""Seconds that a drill allows the shortest windows to become empty, before the alert is expected to resolve."""
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_RANGE = re.compile(r"\[([0-9][0-9a-z]*)(?::[0-9a-z]*)?\]")


def until_empty(window: float) -> float:
    """Seconds that a drill waits for a condition to become false, if the alert reads a window of this length."""
    return max(SHORTEST_EMPTYING, window)


def rise(rule: Rule, thresholds: Mapping[str, float]) -> float:
    """Seconds from an alert's fault until its condition is true.

    A fault makes the simulated counters jump, but writes log lines one by one. For example, a rule that needs a mean of
    10 lines a minute over 5m is true after 50 lines, which take 100 s at 30 lines a minute.
    """
    if rule.alert == ERROR_LOG_BURST:
        return window(rule, {}) * thresholds["lines_per_minute"] / ERROR_LINES[ERROR_LOG_BURST]
    if rule.alert == ERROR_LOG_ANOMALOUS:
        return 60 * thresholds["lines_in_10m"] / ERROR_LINES[ERROR_LOG_ANOMALOUS]
    return RISES.get(rule.alert, 0.0)


def window(rule: Rule, recordings: Mapping[str, str]) -> float:
    """Seconds of the longest range that must empty before the condition is false again.

    `recordings` maps recorded series to their expressions, whose ranges count if the rule reads the series.
    """
    if rule.alert in WINDOWS:
        return WINDOWS[rule.alert]
    ranges = [seconds(text) for text in _RANGE.findall(" ".join(_expressions(rule.expr, recordings)))]
    return max((length for length in ranges if length <= LONGEST_RANGE), default=0.0)


def held(for_: float, evaluation: float) -> float:
    """Seconds until `for` has passed, rounded up to whole evaluations, because the alert fires at an evaluation."""
    return math.ceil(for_ / evaluation) * evaluation if evaluation else for_


def recorded_names(expression: str, recordings: Collection[str]) -> set[str]:
    """The recorded series that an expression reads directly."""
    return set(_NAME.findall(expression)) & set(recordings)


def _expressions(expression: str, recordings: Mapping[str, str]) -> list[str]:
    """The expression, and the expressions of all recorded series that it reads directly or indirectly."""
    read = recorded_names(expression, recordings)
    others = {name: text for name, text in recordings.items() if name not in read}
    return [expression, *(text for name in sorted(read) for text in _expressions(recordings[name], others))]


def duration_text(duration: float) -> str:
    """A duration in seconds as short text: `90s`, `15m`, `6h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if duration >= size and duration % size == 0:
            return f"{duration / size:g}{unit}"
    return f"{duration:g}s"
