"""Statements that cut texts in telemetry. A text that was longer ends in CUT."""

from components.logs import loki_config

CUT = loki_config.CUT


def cut(path: str, length: int) -> str:
    """A statement that cuts a text to this number of bytes."""
    text = f'Concat([Substring({path}, 0, {length - len(CUT)}, utf8_safe=true), "{CUT}"], "")'
    return f"set({path}, {text}) where Len({path}) > {length}"
