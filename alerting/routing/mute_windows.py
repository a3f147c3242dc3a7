"""Mute windows: times without notifications of alerts that nobody would act on. Windows without effect are rejected.

Each window becomes one time interval of Alertmanager and one mute timing of Grafana.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from alerting.base import Document, Strict

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name)
_DAY = 24 * 60
# Dates and weekdays repeat after 28 years.
_HORIZON = timedelta(days=28 * 366)
_YEARS_SHOWN = 28


def _time(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        raise ValueError("must be HH:MM from 00:00 to 24:00")
    return text


def _location(name: str) -> str:
    known = available_timezones()
    if known and name not in known:
        raise ValueError("must be a time zone's IANA name such as Europe/Berlin")
    return name


_Time = Annotated[str, AfterValidator(_time)]


class TimeRange(Strict):
    """A range of times on one day; `from` is included, `to` is not."""

    from_: Annotated[_Time, Field(alias="from")]
    to: _Time

    @model_validator(mode="after")
    def _forward(self) -> "TimeRange":
        if self.minutes[0] >= self.minutes[1]:
            raise ValueError(
                f"{self.from_} to {self.to} never matches; allowed: `from` before `to`; a night needs two ranges, "
                "one before and one after midnight"
            )
        return self

    @property
    def minutes(self) -> tuple[int, int]:
        """`from` and `to` in minutes since midnight."""
        first, last = ((int(text[:2]) * 60 + int(text[3:])) for text in (self.from_, self.to))
        return first, last


_Range = tuple[int, int]
_Item = str | int


def _ranges(items: Sequence[_Item], number: Callable[[str], int]) -> list[_Range]:
    """First and last number of items such as `monday:friday` or `5`. Raises ValueError if `number` rejects one."""
    found: list[_Range] = []
    for item in items:
        first, _, last = str(item).partition(":")
        found.append((number(first), number(last or first)))
    return found


def _checked(
    what: str, number: Callable[[str], int], backwards: Callable[[_Range], bool]
) -> Callable[[list[_Item]], list[_Item]]:
    def check(items: list[_Item]) -> list[_Item]:
        for item in items:
            try:
                (found,) = _ranges([item], number)
            except ValueError:
                raise ValueError(f"{item!r} is not allowed; allowed: {what}") from None
            if backwards(found):
                raise ValueError(f"{item!r} never matches; allowed: the first before the last")
        return items

    return check


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text.lower())


def _month(text: str) -> int:
    return number(text, 1, 12) if text.isdigit() else _MONTHS.index(text.lower() or "-")


def _day_of_month(text: str) -> int:
    found = number(text, -31, 31)
    if found == 0:
        raise ValueError
    return found


def _year(text: str) -> int:
    return number(text, 1970, 9999)


def number(text: str, least: int, most: int) -> int:
    """The integer in `text`. Raises ValueError if it is not an integer or out of bounds."""
    found = int(text)
    if not least <= found <= most:
        raise ValueError
    return found


def _is_backwards(found: _Range) -> bool:
    return found[0] > found[1]


def _days_are_backwards(found: _Range) -> bool:
    """Alertmanager's rule: a range is invalid if it is empty in February, or runs from a negative to a positive day."""
    first, last = (day if day > 0 else 28 + day for day in found)
    return first > last or (found[0] < 0 < found[1])


class MuteWindow(Strict):
    """A time without notifications; every field that is set must match. Ranges (`monday:friday`) include both ends."""

    weekdays: Annotated[
        list[_Item], AfterValidator(_checked("a day such as monday, or monday:friday", _weekday, _is_backwards))
    ] = Field(default_factory=list[_Item])
    times: list[TimeRange] = Field(default_factory=list[TimeRange])
    days_of_month: Annotated[
        list[_Item],
        AfterValidator(
            _checked("a day from 1 to 31, -1 for the last one, or a range 1:7", _day_of_month, _days_are_backwards)
        ),
    ] = Field(default_factory=list[_Item])
    months: Annotated[
        list[_Item], AfterValidator(_checked("a month such as december or 12, or a range", _month, _is_backwards))
    ] = Field(default_factory=list[_Item])
    years: Annotated[
        list[_Item], AfterValidator(_checked("a year such as 2030, or 2030:2031", _year, _is_backwards))
    ] = Field(default_factory=list[_Item])
    location: Annotated[str, AfterValidator(_location)] = "UTC"

    def holds_on(self, day: date) -> bool:
        """Whether any minute of the day is in the window."""
        return (
            _within(_weekday_of(day), self.weekdays, _weekday)
            and _within(day.month, self.months, _month)
            and _within(day.year, self.years, _year)
            and self._day_of_month_fits(day)
        )

    def problem(self, today: date) -> str | None:
        """Why the window has no useful effect from `today` on; None for a valid window."""
        if not any(self.holds_on(day) for day in self._coming_days(today)):
            return "never matches: no such day in the future"
        if always([self], today):
            return "always matches; allowed: a window that ends, or no route to the channel"
        return None

    def document(self) -> Document:
        """The window as a time interval, in the format that Alertmanager and Grafana share."""
        interval: Document = {
            "times": [{"start_time": span.from_, "end_time": span.to} for span in self.times],
            "weekdays": [str(item).lower() for item in self.weekdays],
            "days_of_month": [str(item) for item in self.days_of_month],
            # Grafana's API returns the names of months, not their numbers.
            "months": [
                ":".join(_MONTHS[number] for number in ends) for ends in map(_ends, _ranges(self.months, _month))
            ],
            "years": [str(item) for item in self.years],
        }
        return {key: items for key, items in interval.items() if items} | {"location": self.location}

    def _day_of_month_fits(self, day: date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        ranges = [
            tuple(number if number > 0 else length + number + 1 for number in found)
            for found in _ranges(self.days_of_month, _day_of_month)
        ]
        return not ranges or any(first <= day.day <= last for first, last in ranges)

    def _coming_days(self, today: date) -> Iterator[date]:
        """Future days: enough to include every combination of weekday and date that can still match."""
        if not self.years:
            yield from _days(today, today + _HORIZON)
        for first, last in _ranges(self.years, _year):
            start = max(first, today.year)
            for year in range(start, min(last, start + _YEARS_SHOWN) + 1):
                yield from _days(max(date(year, 1, 1), today), date(year, 12, 31))


def _ends(found: _Range) -> _Range | tuple[int]:
    return found if found[0] != found[1] else (found[0],)


def always(windows: Iterable[MuteWindow], today: date) -> bool:
    """Whether the windows together cover every minute of the next 28 years."""
    windows = list(windows)
    shared = len({window.location for window in windows}) == 1
    return all(_cover_a_day(windows, day, shared=shared) for day in _days(today, today + _HORIZON))


def _cover_a_day(windows: Sequence[MuteWindow], day: date, *, shared: bool) -> bool:
    """Whether they cover a day of their `shared` location, or else of UTC."""
    reached = 0
    for first, last in sorted(found for window in windows for found in _minutes(window, day, local=shared)):
        if first > reached:
            return False
        reached = max(reached, last)
    return reached >= _DAY


def _minutes(window: MuteWindow, day: date, *, local: bool) -> Iterator[_Range]:
    """The window's ranges in minutes since midnight of a `local` day, or else of a day in UTC."""
    # A day elsewhere begins up to 14 hours before the same day in UTC, and ends up to 12 hours after it.
    for own in (day,) if local else _days(day - timedelta(days=1), day + timedelta(days=1)):
        if window.holds_on(own):
            for found in [span.minutes for span in window.times] or [(0, _DAY)]:
                yield found if local else (_since(day, own, found[0], window), _since(day, own, found[1], window))


def _since(day: date, own: date, minute: int, window: MuteWindow) -> int:
    """Minutes from midnight of `day` in UTC to this minute of the window's `own` day."""
    clock = time(*divmod(minute % _DAY, 60), tzinfo=ZoneInfo(window.location))
    there = datetime.combine(own + timedelta(days=minute // _DAY), clock)
    return (there - datetime.combine(day, time(), UTC)) // timedelta(minutes=1)


def _days(first: date, last: date) -> Iterator[date]:
    for count in range((last - first).days + 1):
        yield first + timedelta(days=count)


def _weekday_of(day: date) -> int:
    return day.isoweekday() % 7


def _within(number: int, items: Sequence[_Item], read: Callable[[str], int]) -> bool:
    return not items or any(first <= number <= last for first, last in _ranges(items, read))
