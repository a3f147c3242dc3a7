"""Generates small mistakes that a person could make in a rule; good tests notice them. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerting import expressions
from alerting.durations import seconds

SHIFT = 0.1
"""Share of a threshold by which it is changed."""
_RANGE = re.compile(r"\[([0-9][0-9a-z]*)((?::[0-9a-z]*)?)\]")
_BRACES = re.compile(r"\{[^{}]*\}")
_MATCHER = re.compile(r'\w+\s*(?:=~|!~|!=|=)\s*"(?:\\.|[^"\\])*"')
# Strings, selectors and comments, which the search for comparisons skips.
_HIDDEN = re.compile(r'"(?:\\.|[^"\\])*"|\{[^{}]*\}|#[^\n]*')
_COMPARISON = re.compile(r"(?<![=!<>|])(>=|<=|==|!=|>|<)(?![=~>])")
_FLIPPED = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mistake in one rule or route."""

    about: str
    """Alert, recorded series, route, inhibition or mute window."""
    what: str
    """The mistake, as text."""
    document: Any
    """The changed rule in the form of a rule file, or the whole changed Alertmanager configuration."""


def of_rule(rule: Mapping[str, Any], thresholds: Mapping[str, float], *, generated: bool = False) -> Iterator[Mutant]:
    """Mistakes in one rule in the form of Prometheus or Loki (`alert` or `record`, `expr`, `for`, `labels`).

    A `generated` expression is not changed; the generator has its own tests.
    """
    about = str(rule.get("alert") or rule.get("record"))
    if not generated:
        for what, text in of_expression(str(rule["expr"]), thresholds):
            yield Mutant(about=about, what=what, document={**rule, "expr": text})
    if "alert" not in rule:
        return
    for what, text in of_for(str(rule.get("for", "0s"))):
        yield Mutant(about=about, what=what, document={**rule, "for": text})
    labels: Mapping[str, str] = rule["labels"]
    for name, value in labels.items():
        yield Mutant(
            about=about,
            what=f"label {name}: {value} -> {_other(name, value)}",
            document={**rule, "labels": {**labels, name: _other(name, value)}},
        )


def of_expression(text: str, thresholds: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Each mistake as text, and the expression that contains it."""
    for name, value in thresholds.items():
        for moved in _moved(value):
            number = expressions.number(moved)
            yield f"{name} {expressions.number(value)} -> {number}", expressions.substitute(text, {value: moved})
    hidden = _HIDDEN.sub(lambda match: " " * len(match[0]), text)
    for number, match in enumerate(_COMPARISON.finditer(hidden), start=1):
        flipped = _FLIPPED[match[1]]
        yield f"comparison {number}: {match[1]} -> {flipped}", text[: match.start(1)] + flipped + text[match.end(1) :]
    for found in dict.fromkeys(match[0] for match in _RANGE.finditer(text)):
        duration, step = _RANGE.fullmatch(found).groups()  # type: ignore[union-attr]
        doubled = f"[{2 * seconds(duration):.0f}s{step}]"
        yield f"window {found} -> {doubled}", text.replace(found, doubled)
    dropped = (found for match in _BRACES.finditer(text) for found in _dropped(text, match))
    # The same matcher may occur in many selectors, and dropping each is a separate mistake.
    for number, (matcher, changed) in enumerate(dropped, start=1):
        yield f"matcher {number}: {matcher} dropped", changed


def of_for(text: str) -> Iterator[tuple[str, str]]:
    """`for` longer and shorter by one minute, or by half a minute if it is short."""
    now = seconds(text)
    step = 60.0 if now == 0 or now >= 120 else 30.0
    for changed in (now + step, now - step):
        if changed >= 0:
            yield f"for {text} -> {changed:.0f}s", f"{changed:.0f}s"


def without(items: Sequence[Any], index: int) -> list[Any]:
    """The items without the one at `index`."""
    return [*items[:index], *items[index + 1 :]]


def _dropped(text: str, braces: re.Match[str]) -> Iterator[tuple[str, str]]:
    matchers = [match[0] for match in _MATCHER.finditer(braces[0])]
    named = braces.start() > 0 and re.match(r"[\w:]", text[braces.start() - 1])
    for index, matcher in enumerate(matchers):
        rest = without(matchers, index)
        if not rest and not named:
            continue  # an empty selector is a syntax error, which needs no test
        written = "{" + ", ".join(rest) + "}" if rest else ""
        yield matcher, text[: braces.start()] + written + text[braces.end() :]


def _moved(value: float) -> tuple[float, float]:
    return (value * (1 + SHIFT), value * (1 - SHIFT)) if value else (1.0, -1.0)


def _other(name: str, value: str) -> str:
    if name == "severity":
        return "info" if value != "info" else "warning"
    return {"true": "false", "false": "true"}.get(value, "other")
