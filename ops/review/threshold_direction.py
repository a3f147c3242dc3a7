"""Determines whether a larger threshold makes an alert fire more or less."""

import re
from collections.abc import Iterator
from typing import Literal

import promql_parser

from alerting.model import Engine

Direction = Literal[1, -1]
"""1: a larger number makes it fire more; -1: less."""

_LARGER, _SMALLER = (">", ">="), ("<", "<=")
# Whether the left and the right side of each operator count with (1) or against (-1) the result.
_SIDES = {"+": (1, 1), "*": (1, 1), "-": (1, -1), "/": (1, -1), "and": (1, 1), "or": (1, 1), "unless": (1, -1)}
_COMPARED = re.compile(r"(?P<operator>[<>]=?)\s*(?:bool\s+)?(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)")


def direction(expression: str, engine: Engine, value: float) -> Direction | None:
    """The direction of the number `value` in a valid expression; None if it cannot be determined.

    Assumes that quantities are not negative, like counts, ratios and seconds.
    """
    found = set(_in_logs(expression, value) if engine == "loki" else _in_metrics(expression, value))
    return found.pop() if len(found) == 1 else None


def looser(expression: str, engine: Engine, before: float, after: float) -> bool | None:
    """Whether the alert fires less if `after` replaces `before` in `expression`; None if that is unknown."""
    sign = direction(expression, engine, before)
    return None if sign is None else (after - before) * sign < 0


def _in_metrics(expression: str, value: float) -> Iterator[Direction | None]:
    yield from _walk(promql_parser.parse(expression), value, 1)


def _walk(node: object, value: float, sign: Direction) -> Iterator[Direction | None]:
    if isinstance(node, promql_parser.NumberLiteral):
        if node.val == value:
            yield sign
    elif isinstance(node, promql_parser.ParenExpr | promql_parser.AggregateExpr):
        yield from _walk(node.expr, value, sign)
    elif isinstance(node, promql_parser.UnaryExpr):
        yield from _walk(node.expr, value, _flipped(sign))
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            # The meaning of a number as an argument depends on the function.
            yield from ([None] if isinstance(argument, promql_parser.NumberLiteral) and argument.val == value else [])
            yield from () if isinstance(argument, promql_parser.NumberLiteral) else _walk(argument, value, sign)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from _binary(node, value, sign)


def _binary(node: promql_parser.BinaryExpr, value: float, sign: Direction) -> Iterator[Direction | None]:
    operator = str(node.op)
    if operator in _LARGER:
        left, right = 1, -1
    elif operator in _SMALLER:
        left, right = -1, 1
    elif operator in _SIDES:
        left, right = _SIDES[operator]
    else:
        inside = [*_walk(node.lhs, value, sign), *_walk(node.rhs, value, sign)]
        yield from [None] * len(inside)
        return
    yield from _walk(node.lhs, value, sign if left > 0 else _flipped(sign))
    yield from _walk(node.rhs, value, sign if right > 0 else _flipped(sign))


def _flipped(sign: Direction) -> Direction:
    return -1 if sign == 1 else 1


def _in_logs(expression: str, value: float) -> Iterator[Direction | None]:
    for match in _COMPARED.finditer(expression):
        if float(match["number"]) == value:
            yield -1 if match["operator"] in _LARGER else 1
