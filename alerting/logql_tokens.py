"""LogQL, cut into tokens as Loki's lexer does it: what a word is depends on what follows it."""

import ast
import re
from typing import Literal, NamedTuple

from alerting.durations import seconds

Kind = Literal["string", "range", "flag", "duration", "bytes", "number", "word", "keyword", "function", "sign", "end"]

RANGE_FUNCTIONS = frozenset(
    {"absent_over_time", "bytes_over_time", "bytes_rate", "count_over_time", "rate", "rate_counter"}
    | {f"{name}_over_time" for name in ("avg", "sum", "min", "max", "stdvar", "stddev", "quantile", "first", "last")}
)
AGGREGATIONS = frozenset(
    {"sum", "avg", "max", "min", "count", "stddev", "stdvar", "bottomk", "topk", "approx_topk", "sort", "sort_desc"}
)
CONVERSIONS = frozenset({"bytes", "duration", "duration_seconds"})
# Names only where a parenthesis (or by/without and one) follows; labels elsewhere.
_FUNCTIONS = RANGE_FUNCTIONS | AGGREGATIONS | CONVERSIONS | {"vector", "label_replace", "ip"}
# Never labels, wherever they stand.
# fmt: off
_KEYWORDS = frozenset(
    {
        "and", "bool", "by", "decolorize", "drop", "group_left", "group_right", "ignoring", "json", "keep",
        "label_format", "line_format", "logfmt", "of", "offset", "on", "or", "pattern", "regexp", "unless", "unpack",
        "unwrap", "variants", "without",
    }
)
# fmt: on
_ESCAPE = r"\\(?:[abfnrtv\\\"]|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_TOKEN = re.compile(
    rf"""
      (?P<skip> \s+ | \#[^\n]* )
    | (?P<string> "(?:{_ESCAPE}|[^"\\\n])*" | `[^`]*` )
    | (?P<range> \[ [^\]]* \] )
    | (?P<flag> --(?:strict|keep-empty)(?![a-z-]) )
    | (?P<duration> -?\d[\d.numsyhdwµ]*[numsyhdwµ] )
    | (?P<bytes> \d[\d.]*(?:[kKMGTP]i?B?|B) )
    | (?P<number> (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )
    | (?P<word> [^\W\d]\w* )
    | (?P<sign> \|[=~>]? | ![=~>] | =[=~]? | [<>]=? | [{{}}(),+\-*/%^] )
    """,
    re.VERBOSE,
)
_CALL = re.compile(r"\s*(?:\(|(?:by|without)\s*\()", re.IGNORECASE)
_PLAIN: tuple[Kind, ...] = ("flag", "bytes", "number")
# What Go reads besides Prometheus' durations.
_GO_DURATION = re.compile(r"-?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+")


class LogQLError(ValueError):
    """An expression is no LogQL; the text says why."""


class Token(NamedTuple):
    """One token; keywords and functions are in small letters, strings without quotes and escapes."""

    kind: Kind
    text: str
    position: int
    """Characters before it."""


def tokens(expression: str) -> list[Token]:
    """All tokens, the last of kind `end`. Raises LogQLError."""
    found: list[Token] = []
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if not match:
            raise LogQLError(f"cannot be read from {expression[position : position + 20]!r} on")
        if match.lastgroup != "skip":
            found.append(_token(match, expression))
        position = match.end()
    return [*found, Token("end", "the end", position)]


def _token(match: re.Match[str], expression: str) -> Token:
    text, at = match.group(), match.start()
    kind: Kind = "sign"
    if match["string"] is not None:
        kind, text = "string", text[1:-1] if text[0] == "`" else str(ast.literal_eval(text))
    elif match["range"] is not None:
        kind = "range"
        _require_duration(text[1:-1])
    elif match["duration"] is not None:
        kind = "duration"
        if not _GO_DURATION.fullmatch(text):
            _require_duration(text)
    elif match["word"] is not None:
        small = text.lower()
        called = small in _FUNCTIONS and _CALL.match(expression, match.end())
        named: Kind = "keyword" if small in _KEYWORDS else "word"
        kind = "function" if called else named
        text = text if kind == "word" else small
    else:
        for plain in _PLAIN:
            kind = plain if match[plain] is not None else kind
    return Token(kind, text, at)


def _require_duration(text: str) -> None:
    try:
        seconds(text)
    except ValueError as error:
        raise LogQLError(f"{text!r} {error}") from error
