"""LogQL: can Loki's ruler alert on an expression. No Loki is asked; the grammar is that of Loki 3.7.

Where this differs from Loki's own parser, and why:
- Stricter: a regular expression or a pattern in a line filter must be valid, an IP filter must not be empty, and
  aggregations and alerts take only instant vectors. Loki takes such a rule and then fails at each evaluation.
- Stricter: `variants`, `//` and `/* */` comments and quotes of the form 'x' are refused; rules have no need of them.
- Laxer: templates of line_format and label_format, paths of the json and logfmt parsers, and addresses of IP filters
  are not looked into (Loki's parser does not either), and approx_topk needs a sharding that the ruler may not have.
- Regular expressions are judged by the engine of promql_parser, which differs from Go's in rare escapes such as \\Q.
"""

from typing import Literal

from alerting.logql_pipeline import LinesReader, require_regex
from alerting.logql_tokens import AGGREGATIONS, RANGE_FUNCTIONS, LogQLError, tokens

_Result = Literal["an instant vector", "a scalar", "log lines"]
_SETS = ("or", "and", "unless")
# Operators from the loosest to the tightest; `^` alone binds to the right.
_LEVELS = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", ">", ">=", "<", "<="),
    ("+", "-"),
    ("*", "/", "%"),
    ("^",),
)
_GROUPED = frozenset(
    f"{name}_over_time" for name in ("avg", "stddev", "stdvar", "quantile", "max", "min", "first", "last")
)
_NEEDS_NO_UNWRAP = frozenset({"bytes_over_time", "bytes_rate", "count_over_time", "rate", "absent_over_time"})
_NEVER_UNWRAPS = frozenset({"bytes_over_time", "bytes_rate", "count_over_time"})


def problem(expression: str) -> str | None:
    """Why Loki's ruler could not alert on an expression; None when it can."""
    try:
        kind = _Parser(tokens(expression)).root()
    except LogQLError as error:
        return f"is no valid LogQL: {error}"
    return None if kind == "an instant vector" else f"must be an instant vector, not {kind}"


class _Parser(LinesReader):
    def root(self) -> _Result:
        kind = self._binary(0)
        if not self.is_now("end"):
            raise self.unexpected("an operator or the end")
        return kind

    # Metrics

    def _binary(self, level: int) -> _Result:
        if level == len(_LEVELS):
            return self._operand()
        left = self._binary(level + 1)
        while (operator := self.now.text) and (
            self.take("sign", *_LEVELS[level]) or self.take("keyword", *_LEVELS[level])
        ):
            self._modifiers()
            right = self._binary(level if operator == "^" else level + 1)
            if "log lines" in (left, right):
                raise LogQLError(f"{operator} needs numbers on both sides, not log lines")
            if operator in _SETS and "a scalar" in (left, right):
                raise LogQLError(f"{operator} needs vectors on both sides, not a number")
            left = "a scalar" if left == right == "a scalar" else "an instant vector"
        return left

    def _modifiers(self) -> None:
        self.take("keyword", "bool")
        if self.take("keyword", "on", "ignoring"):
            self._labels()
            if self.take("keyword", "group_left", "group_right") and self.is_now("sign", "("):
                self._labels()

    def _operand(self) -> _Result:
        if self.is_now("function"):
            return self._function()
        if self.is_now("sign", "{"):
            self.selector()
            self.pipeline()
            return "log lines"
        if self.take("sign", "("):
            inner = self._binary(0)
            self.expect("sign", ")")
            return inner
        if self.is_now("number") or self.take("sign", "+", "-"):
            self.expect("number")
            return "a scalar"
        raise self.unexpected("a metric query or a stream selector")

    def _function(self) -> _Result:
        name = self.now.text
        if name in RANGE_FUNCTIONS:
            self._range_aggregation()
        elif name in AGGREGATIONS:
            self._aggregation()
        elif self.take("function", "label_replace"):
            self._label_replace()
        else:
            self.expect("function", "vector")
            self.expect("sign", "(")
            self.expect("number")
            self.expect("sign", ")")
        return "an instant vector"

    def _aggregation(self) -> None:
        name = self.expect("function").text
        grouped = self._grouping()
        self.expect("sign", "(")
        limited = name in ("topk", "bottomk", "approx_topk")
        if limited:
            count = self.expect("number").text
            if not count.isdigit() or int(count) == 0:
                raise LogQLError(f"{name} needs a whole number above zero, not {count}")
            self.expect("sign", ",")
        if (inner := self._binary(0)) != "an instant vector":
            raise LogQLError(f"{name} needs a vector, not {inner}")
        self.expect("sign", ")")
        grouped = grouped or self._grouping()
        if grouped and name in ("approx_topk", "sort", "sort_desc"):
            raise LogQLError(f"{name} cannot be grouped")

    def _range_aggregation(self) -> None:
        name = self.expect("function").text
        self.expect("sign", "(")
        if name == "quantile_over_time":
            self.expect("number")
            self.expect("sign", ",")
        unwraps = self.log_range()
        self.expect("sign", ")")
        if unwraps and name in _NEVER_UNWRAPS:
            raise LogQLError(f"{name} cannot unwrap a label")
        if not unwraps and name not in _NEEDS_NO_UNWRAP:
            raise LogQLError(f"{name} needs a label to unwrap")
        if self._grouping() and name not in _GROUPED:
            raise LogQLError(f"{name} cannot be grouped; aggregate it: sum by (…) ({name}(…))")

    def _label_replace(self) -> None:
        self.expect("sign", "(")
        if (inner := self._binary(0)) == "log lines":
            raise LogQLError(f"label_replace needs a vector, not {inner}")
        values: list[str] = []
        for _ in range(4):
            self.expect("sign", ",")
            values.append(self.expect("string").text)
        self.expect("sign", ")")
        require_regex(values[3])

    def _grouping(self) -> bool:
        """Whether there is `by (…)` or `without (…)`."""
        if not self.take("keyword", "by", "without"):
            return False
        self._labels()
        return True

    def _labels(self) -> None:
        self.expect("sign", "(")
        if not self.take("sign", ")"):
            self.expect("word")
            while self.take("sign", ","):
                self.expect("word")
            self.expect("sign", ")")
