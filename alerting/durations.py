"""Prometheus durations, as written in rules, routes and flags."""

import re
from typing import Annotated

from pydantic import AfterValidator

_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = (2**63 - 1) / 1e9
"""Seconds, 292 years: programs in Go count nanoseconds in 64 bits, and refuse more."""
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _UNITS))


def seconds(text: str) -> float:
    """Seconds in a duration such as `15d`, `1h30m` or `0`. Raises ValueError for text that Prometheus rejects."""
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if not text or match is None:
        raise ValueError("must be a Prometheus duration such as 30s, 5m, 1h30m or 15d")
    total = sum(float(count) * _UNITS[unit] for unit, count in match.groupdict().items() if count)
    if total > _LONGEST:
        raise ValueError("must be a Prometheus duration of at most 292y")
    return total


def _checked(text: str) -> str:
    seconds(text)
    return text


def _positive(text: str) -> str:
    if seconds(text) <= 0:
        raise ValueError("must be a Prometheus duration above zero such as 30s, 5m or 15d")
    return text


Duration = Annotated[str, AfterValidator(_checked)]
"""Text such as `5m`; `0s` is allowed."""
PositiveDuration = Annotated[str, AfterValidator(_positive)]
"""Text such as `5m`; zero is not allowed."""
