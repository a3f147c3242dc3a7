"""Replaces variables in a query as Grafana's front end does: formats, escaping, built-in intervals. Pure.

The rules are those of Grafana 9.4 to 13: `$name`, `${name}`, `${name:format}` and `[[name]]`; unknown names stay
unchanged. If "All" is selected and has a custom value, that value is inserted in every format except `text` and
`percentencode`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

Language = Literal["prometheus", "loki", "plain"]
"""Language whose escaping is applied to a value when the query does not name a format."""

_REFERENCE = re.compile(
    r"\$(?P<bare>\w+)|\[\[(?P<old>\w+?)(?::(?P<old_format>\w+))?\]\]"
    r"|\$\{(?P<braced>\w+)(?:\.(?P<field>[^:^}]+))?(?::(?P<format>[^}]+))?\}"
)
# Milliseconds: an interval below the first number of a pair becomes the second one (Grafana's roundInterval).
_ROUNDED = (
    (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1_500, 1_000), (3_500, 2_000), (7_500, 5_000),
    (12_500, 10_000), (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000), (210_000, 120_000),
    (450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000), (2_700_000, 1_800_000),
    (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000), (32_400_000, 21_600_000),
    (86_400_000, 43_200_000), (604_800_000, 86_400_000), (1_814_400_000, 604_800_000), (3_628_800_000, 2_592_000_000),
)  # fmt: skip
_A_YEAR = 31_536_000_000
# Width of a panel in pixels on a common screen, which is the maximum number of points that it requests.
_POINTS = 1000
# Prometheus rejects more than 11,000 points; Grafana stays below that.
_SAFE_POINTS = 11_000


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The selection of a variable."""

    values: tuple[str, ...]
    """Every option if All is selected."""
    many: bool = False
    """Whether the variable may have several values (multi or include all); its values are then escaped for regexes."""
    all_value: str | None = None
    """The custom value of All, if All is selected and has one."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A dashboard's time range, in seconds since the epoch."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


def replaced(text: str, chosen: Mapping[str, Chosen], builtin: Mapping[str, str], language: Language) -> str:
    """The text with every variable replaced. Raises ValueError for a format that Grafana does not know."""

    def one(match: re.Match[str]) -> str:
        name = match["bare"] or match["old"] or match["braced"]
        form = match["old_format"] or match["format"]
        if name in builtin:
            return builtin[name]
        if name not in chosen:
            return match[0]
        return _formatted(chosen[name], form, language)

    return _REFERENCE.sub(one, text)


def references(text: str) -> set[str]:
    """Names of all variables in a text, without group references such as `$1` in a label_replace."""
    found = {match["bare"] or match["old"] or match["braced"] for match in _REFERENCE.finditer(text)}
    return {name for name in found if not name.isdigit()}


def step(window: Window, *, minimum: float) -> float:
    """Seconds between two points of a panel (`$__interval`), never below `minimum`."""
    ideal = window.length * 1000 / _POINTS
    rounded = next((value for limit, value in _ROUNDED if ideal < limit), _A_YEAR) / 1000
    return max(rounded, minimum, window.length / _SAFE_POINTS)


def builtins(window: Window, *, scrape_interval: float, interval: float) -> dict[str, str]:
    """Grafana's built-in variables for a query whose points are `interval` seconds apart."""
    rate = max(interval + scrape_interval, 4 * scrape_interval)
    seconds = round(window.length)
    return {
        "__interval": _duration(interval),
        "__interval_ms": str(round(interval * 1000)),
        "__rate_interval": _duration(rate),
        "__rate_interval_ms": str(round(rate * 1000)),
        "__auto": _duration(interval),
        "__range": f"{seconds}s",
        "__range_s": str(seconds),
        "__range_ms": str(seconds * 1000),
        "__from": str(round(window.start * 1000)),
        "__to": str(round(window.end * 1000)),
    }


def _formatted(value: Chosen, form: str | None, language: Language) -> str:
    if value.all_value is not None and form not in ("text", "percentencode"):
        return value.all_value
    if form is None:
        return _ESCAPED[language](value)
    if form not in _FORMATS:
        raise ValueError(f"${{…:{form}}}: no such format; Grafana supports {', '.join(sorted(_FORMATS))}")
    return _FORMATS[form](value.values)


def _in_prometheus(value: Chosen) -> str:
    if not value.many:
        return _glob(value.values).replace("'", "\\\\'")
    escaped = [_regex_in_string(one, r"[$^*{}\[\]'+?.()|]") for one in value.values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _in_loki(value: Chosen) -> str:
    if not value.many:
        return _glob(value.values).replace("'", "\\\\'")
    return "|".join(_regex_in_string(one, r"[$^*{}\[\]+?.()|]") for one in value.values)


def _regex_in_string(value: str, special: str) -> str:
    """Escapes a value twice: for the regular expression, and for the quoted string around it."""
    return re.sub(special, r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def _regex(values: tuple[str, ...]) -> str:
    escaped = [re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _glob(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else f"{{{','.join(values)}}}"


def _quoted(mark: str) -> Callable[[tuple[str, ...]], str]:
    return lambda values: ",".join(mark + value.replace(mark, "\\" + mark) + mark for value in values)


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{round(seconds * 1000)}ms"


_ESCAPED: Mapping[Language, Callable[[Chosen], str]] = {
    "prometheus": _in_prometheus,
    "loki": _in_loki,
    "plain": lambda value: _glob(value.values),
}
_FORMATS: Mapping[str, Callable[[tuple[str, ...]], str]] = {
    "csv": ",".join,
    "doublequote": _quoted('"'),
    "glob": _glob,
    "json": lambda values: json.dumps(values[0] if len(values) == 1 else list(values)),
    "percentencode": lambda values: quote(_glob(values), safe=""),
    "pipe": "|".join,
    "raw": ",".join,
    "regex": _regex,
    "singlequote": _quoted("'"),
    "text": " + ".join,
}
