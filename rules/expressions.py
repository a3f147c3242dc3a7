"""PromQL: is it valid, and which of its numbers is the threshold. Works on the text, so its layout stays."""

import re
from collections.abc import Iterator

import promql_parser

# What stands in an expression that could hold digits: comments, strings and names are skipped, durations too.
_TOKEN = re.compile(
    r"""
    (?P<skip> \#[^\n]* | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` | [A-Za-z_:][A-Za-z0-9_:.]*
      | \d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))* )
    | (?P<number> 0[xX][0-9a-fA-F]+ | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE,
)


def problem(expression: str) -> str | None:
    """What is wrong with a PromQL expression; None when nothing is."""
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        return str(error)
    return None


def occurrences(expression: str, value: float) -> int:
    """How often `value` stands in the expression as a number of its own, however it is written (0.1, 0.10, 1e-1)."""
    return sum(1 for _ in _numbers(expression, value))


def substitute(expression: str, values: dict[float, float]) -> str:
    """The expression with each number that is a key of `values` replaced by what it maps to; all else is unchanged."""
    found = sorted((span, new) for old, new in values.items() for span in _numbers(expression, old))
    for (start, end), new in reversed(found):
        expression = expression[:start] + number(new) + expression[end:]
    return expression


def number(value: float) -> str:
    """A number as PromQL reads it, without a needless `.0`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _numbers(expression: str, value: float) -> Iterator[tuple[int, int]]:
    for match in _TOKEN.finditer(expression):
        text = match.group("number")
        if text and (int(text, 16) if text.lower().startswith("0x") else float(text)) == value:
            yield match.span()
