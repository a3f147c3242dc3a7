"""What a program says about a rule, as one text for people."""

import re
from collections.abc import Mapping
from textwrap import indent
from typing import Any

# Prometheus and Loki begin with this when they refuse a template.
_TEMPLATE = re.compile(r'(annotation|label) "([^"]+)": ')


def in_rule(where: str, group: str, rule: Mapping[str, Any], program: str, message: str) -> str:
    """File, place, program and message in one line; below it the expression or template that it is about."""
    kind = "alert" if "alert" in rule else "record"
    template = _TEMPLATE.match(message)
    text = rule[f"{template[1]}s"][template[2]] if template else rule["expr"]
    return below(f"{where}: group {group}, {kind} {rule[kind]}: {program}: {message}", str(text))


def below(line: str, text: str) -> str:
    """The line, and under it the text, indented."""
    return f"{line}\n{indent(text.strip(), ' ' * 6)}"
