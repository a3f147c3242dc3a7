"""Texts of alerts that fail only when the alert fires: the message then has an error, or a gap, in their place."""

import re
from collections.abc import Iterator

_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_LABEL = re.compile(r"\$labels\.(\w+)(\.\w+)?")
_NUMBER = r"-?\d+(?![\d.e])"
_COMPARED = re.compile(rf"\b(?:eq|ne|lt|le|gt|ge)\s+(?:\$value\s+{_NUMBER}|{_NUMBER}\s+\$value)")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
# `query` makes each evaluation ask for whatever the text says, and `safeHtml` hands a label's mark-up on.
_REFUSED = re.compile(r"(?<![.$\w])(query|safeHtml)\b")
_AS_INTEGER = re.compile(r'printf\s+"[^"]*%[-+# 0-9.]*[bcdoqUxX]')


def problems(text: str, labels: frozenset[str] | None) -> Iterator[str]:
    """What is wrong with a text of an alert whose series have these labels; None if they are not known."""
    for action in _ACTION.findall(text):
        for name, part in _LABEL.findall(action):
            if part:
                yield f"{action} reads {part} of a label, which is a text; allowed: $labels.{name}"
            elif labels is not None and name not in labels:
                known = ", ".join(sorted(labels)) or "none"
                yield f"{action} reads a label that no series of the alert has; allowed: {known}"
        for name in _REFUSED.findall(_QUOTED.sub("", action)):
            yield f"{action} uses the function {name}; allowed: the alert's own labels and its value"
        if _COMPARED.search(action):
            yield f"{action} compares the value with a whole number, which fails; allowed: a decimal such as 5.0"
        if "$value" in action and _AS_INTEGER.search(action):
            yield f'{action} writes the value as a whole number, which fails; allowed: printf "%.0f"'
