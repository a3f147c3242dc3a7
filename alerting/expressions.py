"""Checks whether Prometheus can alert on a PromQL expression, and finds and replaces its thresholds.

Thresholds are replaced in the text, so the layout of the expression stays.
"""

import functools
import re
from collections.abc import Iterator

import promql_parser

from alerting.durations import seconds

# Every token that can contain digits. Comments, strings, names and durations are skipped.
_TOKEN = re.compile(
    r"""
    (?P<skip> \#[^\n]* | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` | [A-Za-z_:][A-Za-z0-9_:.]*
      | \d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))* )
    | (?P<number> 0[xX][0-9a-fA-F]+ | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE,
)
_HIDDEN = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|\#[^\n]*""")
# Both languages write these alike. Other durations, such as LogQL's `1.5h`, are left to the programs.
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+\b"
_RANGE = re.compile(rf"\[\s*({_DURATION})\s*(?::[^\]]*)?\](?:\s*offset\s+({_DURATION}))?")
_ANY_DURATION = re.compile(rf"(?:[\[:]|\boffset\s)\s*-?({_DURATION})")
# Prometheus 3.13 runs these only with --enable-feature=promql-experimental-functions, which this platform does not set.
# The parser accepts them without the flag.
# fmt: off
_EXPERIMENTAL = frozenset(
    {
        "double_exponential_smoothing", "end", "first_over_time", "histogram_quantiles", "info", "limit_ratio",
        "limitk", "mad_over_time", "max_of", "min_of", "range", "sort_by_label", "sort_by_label_desc", "start",
        "step", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
    }
)
# fmt: on

_TO_ONE = ("sum", "count", "avg", "min", "max")
_FILL = "fill"  # a modifier that needs a different feature flag


# Parsing takes most of the time of reading rules, and a process that compares commits or stacks reads most rules twice.
@functools.lru_cache(maxsize=4096)
def problem(expression: str) -> str | None:
    """Why Prometheus cannot alert on an expression; None when it can."""
    try:
        parsed: object = promql_parser.parse(expression)
    except ValueError as error:
        return f"is not valid PromQL: {error}"
    if used := _experimental(expression):
        flag = "promql-binop-fill-modifiers" if used == [_FILL] else "promql-experimental-functions"
        return f"uses {', '.join(used)}, which Prometheus runs only with --enable-feature={flag}; it is not set here"
    # MetricsQL's `x{a="b" or c="d"}`, which the parser knows, too.
    if any(selector.matchers.or_matchers for selector in selectors(expression)):
        return "has `or` between matchers, which Prometheus does not know; allowed: a regular expression, two selectors"
    if (kind := _type(parsed)) != "an instant vector":
        return f"must be an instant vector, not {kind}"
    return duration_problem(expression)


def duration_problem(expression: str) -> str | None:
    """Which range, step or offset in PromQL or LogQL is too long for its program; None if none is."""
    for text in _ANY_DURATION.findall(without_texts(expression)):
        try:
            seconds(text)
        except ValueError as error:
            return f"reads {text}, which {error}"
    return None


def longest_read(expression: str) -> float:
    """The longest time in seconds before now that a range in PromQL or LogQL begins; 0 without a range."""
    found = _RANGE.findall(without_texts(expression))
    return max((seconds(window) + seconds(offset or "0") for window, offset in found), default=0.0)


def without_texts(expression: str) -> str:
    """The expression with dots inside the quotes and blanks for comments; every other character keeps its position."""

    def hidden(match: re.Match[str]) -> str:
        text = match.group()
        return text[0] + "." * (len(text) - 2) + text[-1] if match["text"] else " " * len(text)

    return _HIDDEN.sub(hidden, expression)


@functools.lru_cache(maxsize=4096)
def syntax_problem(expression: str) -> str | None:
    """Why a text is no PromQL at all; None if it is, whatever its result."""
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        return str(error)
    return None


@functools.lru_cache(maxsize=512)
def nodes(expression: str) -> tuple[object, ...]:
    """Every part of an expression as promql_parser gives it, the outermost first. Raises ValueError if none is valid.

    Kept, because the parser copies each part with all parts inside it, which takes 16 ms for a long expression; few of
    them, because the copies take memory.
    """
    found: list[object] = []

    def visit(node: object) -> bool:
        found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def selectors(expression: str) -> tuple[promql_parser.VectorSelector, ...]:
    """The selectors in an expression, in order, without the ranges of those that have one.

    Raises ValueError if it does not parse.
    """
    found = (
        node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node for node in nodes(expression)
    )
    return tuple(node for node in found if isinstance(node, promql_parser.VectorSelector))


def is_one_value(expression: str) -> bool:
    """Whether a valid expression gives at most one series, without labels: an aggregation over everything, or numbers.

    Arithmetic on such expressions counts, too.
    """
    return _without_labels(promql_parser.parse(expression))


def occurrences(expression: str, value: float) -> int:
    """How often `value` appears in the expression as a number, in any notation (0.1, 0.10, 1e-1)."""
    return sum(1 for _ in _numbers(expression, value))


def substitute(expression: str, values: dict[float, float]) -> str:
    """Replaces each number that is a key of `values` by its value; everything else in the expression stays."""
    spans = sorted((span, new) for old, new in values.items() for span in _numbers(expression, old))
    for (start, end), new in reversed(spans):
        expression = expression[:start] + number(new) + expression[end:]
    return expression


def number(value: float) -> str:
    """A number in PromQL's notation, without a needless `.0`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _experimental(expression: str) -> list[str]:
    """Names of all experimental functions and aggregations in a valid expression."""
    found: set[str] = set()
    for node in nodes(expression):
        if isinstance(node, promql_parser.Call):
            found.add(node.func.name)
        elif isinstance(node, promql_parser.AggregateExpr):
            found.add(str(node.op))
        elif isinstance(node, promql_parser.BinaryExpr) and _fills(node.modifier):
            found.add(_FILL)
    return sorted(found & (_EXPERIMENTAL | {_FILL}))


def _fills(modifier: promql_parser.BinModifier | None) -> bool:
    values = modifier.fill_values if modifier else None
    return values is not None and (values.lhs, values.rhs) != (None, None)


def _type(parsed: object) -> str:
    """The type of an expression's result, as Prometheus names it, with an article."""
    if isinstance(parsed, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _type(parsed.expr)
    if isinstance(parsed, promql_parser.BinaryExpr):
        scalars = _type(parsed.lhs) == _type(parsed.rhs) == "a scalar"
        return "a scalar" if scalars else "an instant vector"
    if isinstance(parsed, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        return "a range vector"
    if isinstance(parsed, promql_parser.StringLiteral):
        return "a string"
    is_scalar = isinstance(parsed, promql_parser.NumberLiteral) or (
        isinstance(parsed, promql_parser.Call) and parsed.func.return_type == promql_parser.ValueType.Scalar
    )
    return "a scalar" if is_scalar else "an instant vector"


def _without_labels(parsed: object) -> bool:
    if isinstance(parsed, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _without_labels(parsed.expr)
    if isinstance(parsed, promql_parser.BinaryExpr):
        return _without_labels(parsed.lhs) and _without_labels(parsed.rhs)
    if isinstance(parsed, promql_parser.AggregateExpr):
        return parsed.modifier is None and str(parsed.op) in _TO_ONE
    return isinstance(parsed, promql_parser.NumberLiteral)


def _numbers(expression: str, value: float) -> Iterator[tuple[int, int]]:
    for match in _TOKEN.finditer(expression):
        text = match.group("number")
        if text and (int(text, 16) if text.lower().startswith("0x") else float(text)) == value:
            yield match.span()
