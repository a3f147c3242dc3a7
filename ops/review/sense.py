"""Which way a threshold works: does a larger number make the alert fire less, or more."""

import re
from collections.abc import Iterator
from typing import Literal

import promql_parser

from alerting.model import Engine

Sense = Literal[1, -1]
"""1: a larger number makes it fire more; -1: less."""

_LARGER, _SMALLER = (">", ">="), ("<", "<=")
# Of the operators besides comparisons: how the left and the right side count.
_SIDES = {"+": (1, 1), "*": (1, 1), "-": (1, -1), "/": (1, -1), "and": (1, 1), "or": (1, 1), "unless": (1, -1)}
_COMPARED = re.compile(r"(?P<operator>[<>]=?)\s*(?:bool\s+)?(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)")


def sense(expression: str, engine: Engine, value: float) -> Sense | None:
    """How the number `value` works in a valid expression; None where that cannot be told.

    Quantities are taken as not negative, as counts, ratios and seconds are.
    """
    found = set(_in_logs(expression, value) if engine == "loki" else _in_metrics(expression, value))
    return found.pop() if len(found) == 1 else None


def looser(expression: str, engine: Engine, before: float, after: float) -> bool | None:
    """Whether `after` in place of `before`, which `expression` has, makes the alert fire less; None: unknown."""
    way = sense(expression, engine, before)
    return None if way is None else (after - before) * way < 0


def _in_metrics(expression: str, value: float) -> Iterator[Sense | None]:
    yield from _walk(promql_parser.parse(expression), value, 1)


def _walk(node: object, value: float, sign: Sense) -> Iterator[Sense | None]:
    if isinstance(node, promql_parser.NumberLiteral):
        if node.val == value:
            yield sign
    elif isinstance(node, promql_parser.ParenExpr | promql_parser.AggregateExpr):
        yield from _walk(node.expr, value, sign)
    elif isinstance(node, promql_parser.UnaryExpr):
        yield from _walk(node.expr, value, _flipped(sign))
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            # What a number as an argument means, each function decides.
            yield from ([None] if isinstance(argument, promql_parser.NumberLiteral) and argument.val == value else [])
            yield from () if isinstance(argument, promql_parser.NumberLiteral) else _walk(argument, value, sign)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from _binary(node, value, sign)


def _binary(node: promql_parser.BinaryExpr, value: float, sign: Sense) -> Iterator[Sense | None]:
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


def _flipped(sign: Sense) -> Sense:
    return -1 if sign == 1 else 1


def _in_logs(expression: str, value: float) -> Iterator[Sense | None]:
    for match in _COMPARED.finditer(expression):
        if float(match["number"]) == value:
            yield -1 if match["operator"] in _LARGER else 1
