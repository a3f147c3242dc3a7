"""Shifts the mute times of a configuration to an instant, because Alertmanager's clock cannot be set."""

import time
from datetime import UTC, datetime
from typing import Any

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def turned_day(name: str, turn: int) -> str:
    return DAYS[(DAYS.index(name) + turn) % 7]


def shifted(config: dict[str, Any], instant: str) -> dict[str, Any]:
    """The configuration shifted so that now is `instant`, such as `tuesday 03`.

    Another time zone shifts the hour, rotated weekdays shift the day; times of day in the file stay unchanged, and the
    minute is the real one.
    """
    day, hour = instant.split()
    now = datetime.now(UTC)
    if (now.minute, now.second) > (59, 30):
        time.sleep(31)
        now = datetime.now(UTC)
    offset = (int(hour) - now.hour + 12) % 24 - 12  # hours east of UTC, from -12 to 11
    # The sign in the names of these zones is inverted.
    zone = f"Etc/GMT{-offset:+d}" if offset else "Etc/UTC"
    today = (now.isoweekday() + (now.hour + offset) // 24) % 7
    turn = today - DAYS.index(day)
    intervals = []
    for interval in config["time_intervals"]:
        (part,) = interval["time_intervals"]
        if {"days_of_month", "months", "years"} & set(part) or part["location"] != "UTC":
            raise ValueError(f"cannot be shifted: {part}")
        turned = {
            **part,
            **({"weekdays": [turned_day(name, turn) for name in part["weekdays"]]} if "weekdays" in part else {}),
            "location": zone,
        }
        intervals.append({"name": interval["name"], "time_intervals": [turned]})
    return config | {"time_intervals": intervals}
