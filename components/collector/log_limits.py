"""Cuts log records to what Loki accepts. Loki refuses a record above its limits, and for some the whole request.

Loki stores attributes beside the line. A value that was longer ends in CUT; attributes that were too many count in
`dropped_attributes_count`. Loki itself cuts the line, see components/logs/loki_config.py.
"""

from alerting.base import Document
from components.collector.agent_config import LOG_FIELDS
from components.collector.cuts import CUT, cut
from components.logs import loki_config
from settings import sizes

CLAIMED_TIMESTAMP = "claimed_timestamp"
"""Attribute with the time of a record that Loki would refuse for its age. The record's own time is its arrival."""
UNNAMED = "unnamed"
"""Attribute that holds, as JSON, the attributes without an ASCII letter or digit in their name. Loki refuses a whole
request for one such name."""

# How far before Loki's limit an age counts as too old: for the time in the gateway's queue.
_QUEUE_HOURS = 1
_SEVERITY_BYTES = 64
_SCOPE_BYTES = 256


def processor(oldest_line_hours: int) -> Document:
    """A transform processor, for a Loki that accepts lines of this age."""
    return {
        "error_mode": "ignore",
        "log_statements": [
            {"statements": _scope()},
            {"statements": [*_stack_trace(), *_attributes(), *_time(oldest_line_hours)]},
        ],
    }


def _scope() -> list[str]:
    return [
        "keep_keys(scope.attributes, [])",
        *(cut(f"scope.{field}", _SCOPE_BYTES) for field in ("name", "version")),
    ]


def _stack_trace() -> list[str]:
    """A long stack trace becomes part of the line, which may be much longer than an attribute."""
    stack = 'log.attributes["exception.stacktrace"]'
    long = f"IsString({stack}) and Len({stack}) > {sizes.LOG_ATTRIBUTE_BYTES}"
    return [
        f'set(log.body.string, Concat([log.body.string, {stack}], "\\n")) where {long}',
        f'delete_key(log.attributes, "exception.stacktrace") where {long}',
    ]


def _attributes() -> list[str]:
    unnamed = "^[^a-zA-Z0-9]*$"
    kept = ", ".join(f'"{name}"' for name in LOG_FIELDS)
    return [
        # A line that is not text, as JSON.
        "set(log.body.string, log.body.string) where not IsString(log.body)",
        cut("log.severity_text", _SEVERITY_BYTES),
        'set(log.cache["unnamed"], log.attributes)',
        f'keep_matching_keys(log.cache["unnamed"], "{unnamed}")',
        f'delete_matching_keys(log.attributes, "{unnamed}")',
        f'set(log.attributes["{UNNAMED}"], String(log.cache["unnamed"])) where Len(log.cache["unnamed"]) > 0',
        # Loki keeps texts only, and would turn a map into an attribute for each of its values.
        "stringify_all(log.attributes)",
        f'truncate_all(log.attributes, {sizes.LOG_ATTRIBUTE_BYTES}, truncation_marker="{CUT}")',
        'set(log.cache["count"], Len(log.attributes))',
        f'delete_matching_keys(log.attributes, "(?s)^.{{{sizes.LOG_ATTRIBUTE_NAME + 1}}}")',
        f"limit(log.attributes, {sizes.LOG_ATTRIBUTES}, [{kept}])",
        'set(log.dropped_attributes_count, log.dropped_attributes_count + log.cache["count"] - Len(log.attributes)) '
        'where Len(log.attributes) < log.cache["count"]',
    ]


def _time(oldest_line_hours: int) -> list[str]:
    """Replaces times that come from a wrong clock, and keeps them beside the line."""
    oldest, newest = f"{oldest_line_hours - _QUEUE_HOURS}h", loki_config.NEWEST_LINE
    wrong = f'log.time < Now() - Duration("{oldest}") or log.time > Now() + Duration("{newest}")'
    written = 'FormatTime(log.time, "%Y-%m-%dT%H:%M:%S.%LZ")'
    return [
        "set(log.time_unix_nano, log.observed_time_unix_nano) where log.time_unix_nano == 0",
        "set(log.time, Now()) where log.time_unix_nano == 0",
        # The time at which the agent read the line differs for every line and is of no use.
        "set(log.observed_time_unix_nano, 0)",
        f'set(log.attributes["{CLAIMED_TIMESTAMP}"], {written}) where {wrong}',
        f"set(log.time, Now()) where {wrong}",
    ]
