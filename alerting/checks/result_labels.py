"""The labels that the result of a PromQL expression can have.

A selector gives whatever labels a program exposes, so a program could add one and make two alerts of one, or end the
evaluation of a rule: Prometheus refuses a result with the same labels twice. Only what an expression names is bounded.
"""

import functools
from collections.abc import Iterable, Mapping

import promql_parser

Labels = frozenset[str] | None
"""Names of labels; None if they are not limited."""
_SELECTING = ("topk", "bottomk", "limitk", "limit_ratio")
_ABSENT = ("absent", "absent_over_time")
_BY, _ON = str(promql_parser.AggModifierType.By), str(promql_parser.LabelModifierType.Include)


@functools.lru_cache(maxsize=4096)
def _parsed(expression: str) -> promql_parser.Expr:
    return promql_parser.parse(expression)


def of(expression: str, recorded: Mapping[str, Labels]) -> Labels:
    """The labels of the result; `recorded` are those of recorded series. Raises ValueError if it does not parse."""
    return _of(_parsed(expression), recorded)


def of_recordings(rules: Iterable[tuple[str, str, Iterable[str]]]) -> dict[str, Labels]:
    """Recorded series -> labels; `rules` are name, expression, and names of the labels that the rule adds.

    Rules read what earlier ones recorded.
    """
    found: dict[str, Labels] = {}
    for name, expression, added in rules:
        labels = of(expression, found)
        own = None if labels is None else labels | {*added}
        found[name] = _union(found[name], own) if name in found else own
    return found


def _of(node: object, recorded: Mapping[str, Labels]) -> Labels:  # noqa: PLR0911 -- one for each kind of node
    if isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr | promql_parser.SubqueryExpr):
        return _of(node.expr, recorded)
    if isinstance(node, promql_parser.MatrixSelector):
        return _of(node.vector_selector, recorded)
    if isinstance(node, promql_parser.VectorSelector):
        return recorded.get(node.name or "")
    if isinstance(node, promql_parser.AggregateExpr):
        return _aggregated(node, recorded)
    if isinstance(node, promql_parser.BinaryExpr):
        return _combined(node, recorded)
    if isinstance(node, promql_parser.Call):
        return _called(node, recorded)
    return frozenset()


def _aggregated(node: promql_parser.AggregateExpr, recorded: Mapping[str, Labels]) -> Labels:
    inner = _of(node.expr, recorded)
    operator = str(node.op)
    if operator in _SELECTING:
        return inner
    if node.modifier is None:
        kept: Labels = frozenset()
    elif str(node.modifier.type) == _BY:
        kept = frozenset(node.modifier.labels)
    else:
        kept = None if inner is None else inner - {*node.modifier.labels}
    if operator == "count_values" and kept is not None:
        kept |= {str(getattr(node.param, "val", ""))}
    return kept


def _combined(node: promql_parser.BinaryExpr, recorded: Mapping[str, Labels]) -> Labels:
    left, right = _of(node.lhs, recorded), _of(node.rhs, recorded)
    if str(node.op) == "or":
        return _union(left, right)
    if str(node.op) in ("and", "unless") or _is_scalar(node.rhs):
        return left
    return right if _is_scalar(node.lhs) else _matched(node.modifier, left, right)


def _matched(modifier: promql_parser.BinModifier | None, left: Labels, right: Labels) -> Labels:
    card = str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
    if modifier and card != "OneToOne":
        many = left if card == "ManyToOne" else right
        return None if many is None else many | {*(modifier.group_labels or ())}
    if modifier and modifier.matching and str(modifier.matching.type) == _ON:
        return frozenset(modifier.matching.labels)
    # Both sides have the same labels, but for those that are ignored and dropped.
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _is_scalar(node: object) -> bool:
    if isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _is_scalar(node.expr)
    if isinstance(node, promql_parser.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    return isinstance(node, promql_parser.NumberLiteral) or (
        isinstance(node, promql_parser.Call) and node.func.return_type == promql_parser.ValueType.Scalar
    )


def _called(node: promql_parser.Call, recorded: Mapping[str, Labels]) -> Labels:
    name, arguments = node.func.name, list(node.args)
    if name in _ABSENT:
        return _equal(arguments[0])
    vectors = [
        argument
        for argument in arguments
        if not isinstance(argument, promql_parser.NumberLiteral | promql_parser.StringLiteral)
    ]
    if not vectors or name == "vector":
        return frozenset()
    inner = _of(vectors[-1], recorded)
    if inner is None:
        return None
    if name in ("label_replace", "label_join"):
        return inner | {str(arguments[1].val)}
    return inner - {"le"} if name == "histogram_quantile" else inner


def _equal(node: object) -> Labels:
    """The labels that `absent` takes from the matchers of its selector."""
    selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
    if not isinstance(selector, promql_parser.VectorSelector):
        return frozenset()
    matchers = selector.matchers.matchers
    return frozenset(matcher.name for matcher in matchers if str(matcher.op) == str(promql_parser.MatchOp.Equal))


def _union(one: Labels, other: Labels) -> Labels:
    return None if one is None or other is None else one | other
