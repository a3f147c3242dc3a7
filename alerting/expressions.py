"""PromQL: can Prometheus alert on it, and which of its numbers is the threshold. Works on text: its layout stays."""

import functools
import re
from collections.abc import Iterator
from typing import cast

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
# What Prometheus 3.13 runs only with --enable-feature=promql-experimental-functions, which this platform does not set;
# the parser here knows no such difference.
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
_FILL = "fill"  # a modifier, with a flag of its own


# Reading rules takes as long as parsing them, and a process that compares two commits or stacks reads most rules twice.
@functools.lru_cache(maxsize=4096)
def problem(expression: str) -> str | None:
    """Why Prometheus could not alert on an expression; None when it can."""
    try:
        parsed: object = promql_parser.parse(expression)
    except ValueError as error:
        return f"is no valid PromQL: {error}"
    if used := _experimental(parsed):
        flag = "promql-binop-fill-modifiers" if used == [_FILL] else "promql-experimental-functions"
        return f"uses {', '.join(used)}, which Prometheus runs only with --enable-feature={flag}; it is not set here"
    if (kind := _type(parsed)) != "an instant vector":
        return f"must be an instant vector, not {kind}"
    return None


def is_one_value(expression: str) -> bool:
    """Whether the result of a valid expression has at most one series, without labels: sums of all, and their sums."""
    return _without_labels(promql_parser.parse(expression))


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


def _experimental(parsed: object) -> list[str]:
    """Names of all experimental functions and aggregations in an expression."""
    found: set[str] = set()

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.Call):
            found.add(node.func.name)
        elif isinstance(node, promql_parser.AggregateExpr):
            found.add(str(node.op))
        elif isinstance(node, promql_parser.BinaryExpr) and _fills(node.modifier):
            found.add(_FILL)
        return True

    promql_parser.walk(cast(promql_parser.Expr, parsed), visit)
    return sorted(found & (_EXPERIMENTAL | {_FILL}))


def _fills(modifier: promql_parser.BinModifier | None) -> bool:
    values = modifier.fill_values if modifier else None
    return values is not None and (values.lhs, values.rhs) != (None, None)


def _type(parsed: object) -> str:
    """What an expression gives, in the words of Prometheus."""
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
