"""The streams and labels that LogQL reads; and rules by which Loki tells whether an alert's streams have lines.

Loki's ruler sends nothing but alerts. But it counts the results of each group of rules in its metrics, so one group for
each selector shows Prometheus whether the selector finds anything, and Prometheus knows which systems run.
"""

import re
import zlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

from alerting.base import Document
from alerting.expressions import without_texts
from alerting.model import LogRule, RuleSet

FILE = "log-streams.yaml"
"""Name of the rules' file for Loki."""
RESULTS = "loki_prometheus_last_evaluation_samples"
"""Metric of Loki's ruler: results of a group of rules at its last evaluation."""
_RECORD = "alerts:streams:absent"
# A new stack has its first lines within a minute or two. Lines that arrive late are still within the window.
_INTERVAL = "1m"
_WINDOW = "5m"
_NEW = "10m"

# Parts of LogQL, searched in an expression whose texts and comments are hidden.
_STREAM = re.compile(r"\{[^{}]*\}")
_LABEL_FILTER = re.compile(r"\|\s*(?P<label>[a-zA-Z]\w*)\s*[<>=!]")
_LABEL_MAKER = re.compile(r"\|\s*(?:json|logfmt|regexp|pattern|unpack|label_format)\b")


class Stream(NamedTuple):
    """A stream selector in LogQL, and what filters its lines."""

    selector: str
    labels: tuple[str, ...]
    """Labels that the filters read, each once. Left out are labels that a parser in the pipeline may have made."""

    @property
    def lines(self) -> str:
        """LogQL for the lines that have all of these labels."""
        return self.selector + "".join(f' | {label}!=""' for label in self.labels)


def streams(expression: str) -> list[Stream]:
    """The distinct stream selectors in a LogQL expression, in order, each with the labels of all its filters."""
    shown = without_texts(expression)
    found: dict[str, dict[str, None]] = {}
    for match in _STREAM.finditer(shown):
        pipeline = _LABEL_MAKER.split(re.split(r"[\[{]", shown[match.end() :])[0])[0]
        labels = found.setdefault(expression[match.start() : match.end()], {})
        labels |= {one["label"]: None for one in _LABEL_FILTER.finditer(pipeline)}
    return [Stream(selector, tuple(labels)) for selector, labels in found.items()]


def filters_labels(expression: str) -> bool:
    """Whether LogQL filters lines by a label."""
    return bool(_LABEL_FILTER.search(without_texts(expression)))


def readers(rule_set: RuleSet, disabled: Collection[str] = ()) -> dict[str, list[LogRule]]:
    """LogQL for lines with the labels that alerts filter by -> the alerts that read them, but for `disabled` ones."""
    found: dict[str, list[LogRule]] = {}
    for rule in (rule for file in rule_set.loki_files.values() for rule in file.rules()):
        for stream in streams(rule.expr) if rule.alert not in disabled else ():
            found.setdefault(stream.lines, []).append(rule)
    return found


def groups(rule_set: RuleSet, disabled: Collection[str] = ()) -> Iterator[Document]:
    """Groups of Loki's ruler: each has a result while the lines that some alerts read are missing."""
    for lines in readers(rule_set, disabled):
        rule = {"record": _RECORD, "expr": f"absent_over_time({lines} [{_WINDOW}])\n"}
        yield {"name": _group(lines), "interval": _INTERVAL, "rules": [rule]}


def absent(lines: str, within: str) -> str:
    """PromQL without labels: 1 if Loki did not find these lines at any time `within`, as far as its metrics show.

    Nothing in the first minutes of a selector, when a new stack may have no line yet.
    """
    results = f'{RESULTS}{{rule_group=~".*;{_group(lines)}"}}'
    return f"(min(min_over_time({results}[{within}])) > 0 and on () {results} offset {_NEW})"


def _group(lines: str) -> str:
    # Of its own for each selector: a corrected one begins anew.
    return f"log-streams-{zlib.crc32(lines.encode()):08x}"
