"""The part of LogQL that selects log lines: stream selectors, filters, parsers, formats, and their range."""

import json
import re
from collections.abc import Callable

import promql_parser

from alerting.logql_tokens import CONVERSIONS, Kind, LogQLError, Token

_LINE_FILTERS = ("|=", "|~", "|>", "!=", "!~", "!>")
_COMPARISONS = ("=", "==", "!=", ">", ">=", "<", "<=")
_MATCHERS = ("=", "!=", "=~", "!~")


class LinesReader:
    """Reads tokens from left to right; each method reads one thing of the grammar, or raises LogQLError."""

    def __init__(self, items: list[Token]) -> None:
        self._items = items
        self._index = 0

    # Tokens

    @property
    def now(self) -> Token:
        """The token that is read next."""
        return self._items[self._index]

    def take(self, kind: Kind, *texts: str) -> bool:
        """Whether the next token is of this kind and one of these texts; if so it is read."""
        fits = self.is_now(kind, *texts)
        self._index += fits
        return fits

    def expect(self, kind: Kind, *texts: str) -> Token:
        """The next token, which must be of this kind and one of these texts."""
        token = self.now
        if not self.take(kind, *texts):
            raise self.unexpected(" or ".join(texts) or f"a {'label' if kind == 'word' else kind}")
        return token

    def is_now(self, kind: Kind, *texts: str) -> bool:
        """Whether the next token is of this kind and one of these texts."""
        return self.now.kind == kind and (not texts or self.now.text in texts)

    def unexpected(self, wanted: str) -> LogQLError:
        """The error for a next token that should be something else."""
        return LogQLError(f"{self.now.text!r} at character {self.now.position} where {wanted} should stand")

    def _ahead(self, count: int) -> Token:
        return self._items[min(self._index + count, len(self._items) - 1)]

    # Log lines over a time

    def log_range(self) -> bool:
        """Read a selector with its pipeline and range, in any order that Loki takes; whether a label is unwrapped."""
        outside = self.take("sign", "(")
        if outside and self.is_now("sign", "("):
            unwraps = self.log_range()
            self.expect("sign", ")")
            return unwraps
        self.selector()
        stages, unwraps = self.pipeline(), self._unwrap()
        if not outside or self.is_now("range"):
            unwraps = self._range_and_rest(stages=stages, unwraps=unwraps)
            if outside:
                self.expect("sign", ")")
            return unwraps
        self.expect("sign", ")")
        self._range()
        return unwraps or (not stages and self._unwrap())

    def _range_and_rest(self, *, stages: bool, unwraps: bool) -> bool:
        self._range()
        if stages or unwraps:
            return unwraps
        self.pipeline()
        return self._unwrap()

    def _range(self) -> None:
        self.expect("range")
        if self.take("keyword", "offset"):
            self.expect("duration")

    def _unwrap(self) -> bool:
        if not self._is_unwrap():
            return False
        self._index += 2
        if self.take("function", *CONVERSIONS):
            self.expect("sign", "(")
            self.expect("word")
            self.expect("sign", ")")
        else:
            self.expect("word")
        while self.take("sign", "|"):
            self._label_filter()
        return True

    def selector(self) -> None:
        self.expect("sign", "{")
        selective = False
        if self.now.text != "}":
            selective = self._matcher()
            while self.take("sign", ","):
                selective = self._matcher() or selective
        self.expect("sign", "}")
        if not selective:
            raise LogQLError('the stream selector needs a label that cannot be empty, such as {namespace="speccursor"}')

    def _matcher(self) -> bool:
        """Whether the matcher excludes streams without the label."""
        self.expect("word")
        operator = self.expect("sign", *_MATCHERS).text
        value = self.expect("string").text
        if operator in ("=", "!="):
            return (value == "") == (operator == "!=")
        require_regex(value)
        return _matches_nothing(value) == (operator == "!~")

    def pipeline(self) -> bool:
        """Whether there is a stage at all; `| unwrap` is none."""
        start = self._index
        while True:
            if self.is_now("sign", *_LINE_FILTERS):
                self._line_filter()
            elif self.is_now("sign", "|") and not self._is_unwrap():
                self._index += 1
                self._stage()
            else:
                return self._index > start

    def _is_unwrap(self) -> bool:
        return self.is_now("sign", "|") and self._ahead(1)[:2] == ("keyword", "unwrap")

    def _line_filter(self) -> None:
        operator = self.expect("sign").text
        self._filtered(operator)
        while self.take("keyword", "or"):
            self._filtered(operator)

    def _filtered(self, operator: str) -> None:
        if self.take("function", "ip"):
            self._ip()
            return
        value = self.expect("string").text
        if operator in ("|~", "!~"):
            require_regex(value)
        if operator in ("|>", "!>"):
            _require_pattern(value, captures=False)

    def _ip(self) -> None:
        self.expect("sign", "(")
        if not self.expect("string").text:
            raise LogQLError("ip needs an address, a range or a CIDR")
        self.expect("sign", ")")

    def _stage(self) -> None:
        if not self.is_now("keyword"):
            self._label_filter()
            return
        stages: dict[str, Callable[[], None]] = {
            "json": self._extractions,
            "logfmt": self._logfmt,
            "regexp": lambda: _require_captures(self.expect("string").text),
            "pattern": lambda: _require_pattern(self.expect("string").text, captures=True),
            "unpack": lambda: None,
            "decolorize": lambda: None,
            "line_format": lambda: self._ignored("string"),
            "label_format": lambda: self._list(self._label_format),
            "drop": lambda: self._list(self._named_matcher),
            "keep": lambda: self._list(self._named_matcher),
        }
        if self.now.text not in stages:
            raise self.unexpected("a parser, a filter or a format")
        stages[self.expect("keyword").text]()

    def _ignored(self, kind: Kind) -> None:
        self.expect(kind)

    def _logfmt(self) -> None:
        while self.take("flag"):
            pass
        self._extractions()

    def _extractions(self) -> None:
        if self.is_now("word"):
            self._list(self._extraction)

    def _list(self, item: Callable[[], object]) -> None:
        item()
        while self.take("sign", ","):
            item()

    def _extraction(self) -> None:
        self.expect("word")
        if self.take("sign", "="):
            self.expect("string")

    def _label_format(self) -> None:
        self.expect("word")
        self.expect("sign", "=")
        if not self.take("word"):
            self.expect("string")

    def _named_matcher(self) -> None:
        if self._ahead(1).text in _MATCHERS:
            self._matcher()
        else:
            self.expect("word")

    def _label_filter(self) -> None:
        """Conditions; what stands between two of them may be left out, as Loki reads it."""
        self._condition()
        while (
            self.take("keyword", "and", "or")
            or self.take("sign", ",")
            or self.is_now("word")
            or self.is_now("sign", "(")
        ):
            self._condition()

    def _condition(self) -> None:
        if self.take("sign", "("):
            self._label_filter()
            self.expect("sign", ")")
            return
        if self._ahead(1).text in _MATCHERS and self._ahead(2).kind == "string":
            self._matcher()
            return
        self.expect("word")
        operator = self.expect("sign", *_COMPARISONS, *_MATCHERS).text
        if operator in ("=", "!=") and self.take("function", "ip"):
            self._ip()
        elif operator in ("=~", "!~") or self.is_now("string"):
            raise self.unexpected("a text after =, !=, =~ or !~, or a number after a comparison,")
        elif not (self.take("duration") or self.take("bytes")):
            self.take("sign", "+", "-")
            self.expect("number")


def require_regex(text: str) -> None:
    """Raises LogQLError for what is no regular expression. Its engine has, like Go's, no look-around."""
    try:
        promql_parser.parse(f"a{{b=~{json.dumps(text, ensure_ascii=False)}}}")
    except ValueError as error:
        raise LogQLError(f"{text!r} is no valid regular expression: {error}") from error


def _require_captures(text: str) -> None:
    require_regex(text)
    names = re.findall(r"(?<!\\)\(\?P?<(\w+)>", text)
    if not names or len(set(names)) < len(names):
        raise LogQLError(f"regexp {text!r} needs groups with different names, such as (?P<status>[0-9]+)")


def _require_pattern(text: str, *, captures: bool) -> None:
    """Raises LogQLError for captures `<name>` side by side, of one name, or where none may be."""
    names = re.findall(r"<([A-Za-z_]\w*)>", text)
    named = [name for name in names if name != "_"]
    if re.search(r"<[A-Za-z_]\w*><[A-Za-z_]\w*>", text):
        raise LogQLError(f"pattern {text!r} has two captures with nothing between them")
    if captures and (not named or len(set(named)) < len(named)):
        raise LogQLError(f"pattern {text!r} needs captures with different names, such as <status>")
    if not captures and named:
        raise LogQLError(f"pattern {text!r} may capture nothing in a line filter; write <_>")


def _matches_nothing(regex: str) -> bool:
    """Whether a regular expression matches the empty text, and with it streams that lack the label."""
    try:
        return re.fullmatch(regex, "") is not None
    except re.error:  # an escape that only Go knows
        return False
