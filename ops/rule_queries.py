"""What rules read: the selectors in their expressions. Pure.

That a rule gives nothing is normal; that it reads nothing is not.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import promql_parser

from rules.missing_metrics import ALERT, parse
from rules.model import Rule

Engine = Literal["prometheus", "loki"]

# Strings are skipped, so that a brace in a line filter begins no selector.
_LOGQL = re.compile(r"""(?P<selector>\{(?:"(?:\\.|[^"\\])*"|`[^`]*`|[^{}"`])*\})|"(?:\\.|[^"\\])*"|`[^`]*`""")
# What a matcher says when only the label, not its value, is asked for.
_ANY = '!=""'


@dataclass(frozen=True, kw_only=True)
class Selector:
    """A selector of a rule."""

    text: str
    """As the data source reads it, without range, offset and @."""
    label_text: str
    """The same with any value for every label that must have one."""
    metric: str = ""
    """Its metric; empty for log streams, and where the name is a regular expression."""


@dataclass(frozen=True, kw_only=True)
class RuleQuery:
    """The expression of a rule as the stack evaluates it."""

    alert: str
    engine: Engine
    expression: str
    selectors: tuple[Selector, ...]


def read(rules: Mapping[str, Rule]) -> list[RuleQuery]:
    """Every rule by alert name. AlertsOnMissingMetrics has no selectors: it is about what is not there."""
    found: list[RuleQuery] = []
    for alert, rule in rules.items():
        engine: Engine = "loki" if getattr(rule, "engine", "prometheus") == "loki" else "prometheus"
        of = logql_selectors if engine == "loki" else promql_selectors
        selectors = () if alert == ALERT else tuple(of(rule.expr))
        found.append(RuleQuery(alert=alert, engine=engine, expression=rule.expr, selectors=selectors))
    return found


def may_be_absent(metrics_yaml: object) -> Mapping[str, str]:
    """Metric -> why it may be absent although all is well, as rules/metrics.yaml declares it."""
    return parse(metrics_yaml, "rules/metrics.yaml").absent


def promql_selectors(expression: str) -> list[Selector]:
    """Every selector in a PromQL expression once, in its order. Raises ValueError when it does not parse."""
    found: dict[Selector, None] = {}

    def visit(node: object) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found[_promql(selector)] = None
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return list(found)


def logql_selectors(expression: str) -> list[Selector]:
    """Every stream selector in a LogQL expression once, in its order."""
    texts = dict.fromkeys(match["selector"] for match in _LOGQL.finditer(expression) if match["selector"])
    return [Selector(text=text, label_text=text) for text in texts]


def _promql(selector: promql_parser.VectorSelector) -> Selector:
    matchers: list[Any] = list(selector.matchers.matchers)
    name = selector.name or ""
    exact = [f"{one.name}{_operator(one)}{_quoted(one.value)}" for one in matchers]
    loose = [f"{one.name}{_ANY}" if _wants_value(one) else text for one, text in zip(matchers, exact, strict=True)]
    return Selector(text=_text(name, exact), label_text=_text(name, loose), metric=name)


def _text(name: str, matchers: Iterable[str]) -> str:
    inner = ", ".join(matchers)
    return f"{name}{{{inner}}}" if inner or not name else name


def _operator(matcher: Any) -> str:  # noqa: ANN401 -- the parser has no types
    return {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}[str(matcher.op).rsplit(".", 1)[-1]]


def _wants_value(matcher: Any) -> bool:  # noqa: ANN401 -- the parser has no types
    """Whether only series that have the label can match; the name itself stays as it is."""
    if matcher.name == "__name__":
        return False
    if _operator(matcher) == "=":
        return matcher.value != ""
    return _operator(matcher) == "=~" and re.fullmatch(matcher.value, "") is None


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
