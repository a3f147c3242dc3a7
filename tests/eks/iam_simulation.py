"""Evaluates IAM policies as AWS documents it, for the condition operators and keys that this project's policies use.

It covers what the linter cannot: a condition on a key that a request does not carry never holds, unless the operator
ends in IfExists. AWS' own simulator needs an account.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Context = Mapping[str, str | Sequence[str]]
"""Condition key -> its value, or its values if AWS documents the key as multivalued."""


@dataclass(frozen=True)
class Request:
    """A request to AWS, as the authorization sees it."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict[str, str])


def allowed(request: Request, *documents: dict[str, Any]) -> bool:
    """Whether these identity policies together permit the request: some statement allows it, and none denies it."""
    effects = {statement["Effect"] for document in documents for statement in _matching(request, document)}
    return effects == {"Allow"}


def _matching(request: Request, document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for statement in document["Statement"]:
        applies = _any_like(request.action, statement["Action"]) and _any_like(request.resource, statement["Resource"])
        if applies and _conditions_hold(statement.get("Condition", {}), request.context):
            yield statement


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _holds(operator, _list(wanted), context.get(key))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, wanted: list[str], actual: str | Sequence[str] | None) -> bool:
    """Whether one condition holds. Raises KeyError for operators that no policy of this project uses yet."""
    quantifier, _, base = operator.rpartition(":")
    base, optional = base.removesuffix("IfExists"), base.endswith("IfExists")
    if actual is None:
        return optional or quantifier == "ForAllValues"
    compare = _OPERATORS[base]
    found = [any(compare(value, one) for one in wanted) for value in _list(actual)]
    return all(found) if quantifier == "ForAllValues" else any(found)


def _like(value: str, pattern: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _equal(value: str, wanted: str) -> bool:
    return value == wanted


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "ArnEquals": _like,  # AWS treats both operators alike
    "ArnLike": _like,
    "Bool": _equal,
    "StringEquals": _equal,
    "StringLike": _like,
}


def _any_like(value: str, patterns: str | list[str]) -> bool:
    return any(_like(value, pattern) for pattern in _list(patterns))


def _list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
