"""Cuts spans to what Jaeger's stores accept.

Badger refuses a whole request for one text above 65,000 bytes: it makes a key of each attribute with the name of the
service. OpenSearch refuses a span of more than 10,000 attributes and events together, and makes an index for each day
that a span claims. A text that was longer ends in CUT; attributes and events that were too many count in
`dropped_attributes_count` and `dropped_events_count`.
"""

from collections.abc import Mapping, Sequence

from alerting.base import Document
from components.collector.cuts import CUT, cut
from components.collector.services import metric_names

ATTRIBUTES = 256
"""Most attributes of a span or event. SDKs stop at 128."""
ATTRIBUTE_BYTES = 16 * 1024
"""Longest value: a prompt or a stack trace. It leaves room for a key and the service's name."""
METRIC_LABEL_BYTES = 256
"""Longest name of a span in the span metrics. Each stands in seventeen series, for hours."""
CLAIMED_START = "claimed_start_time"
"""Attribute with the start of a span whose time comes from a wrong clock. Its own start is its arrival."""
# With 256 attributes of the span and 256 of its resource, less than 10,000 in each case: 32 events with all of their
# attributes; 900 with 8, and the name as another one; 4,500 with their names.
_EVENTS_WITH_ALL, _EVENTS_WITH_SOME, _EVENTS, _SOME = 32, 900, 4500, 8
_EXCEPTION = '"exception.type", "exception.message", "exception.stacktrace"'
# As old as log lines may be.
_OLDEST, _NEWEST = "168h", "1h"
_NAME_BYTES = 1024
_KEY_LETTERS = 256


def processors() -> Document:
    """A transform and a filter processor for the spans of kept traces, in this order."""
    return {"transform/span_limits": _limits(), "filter/events": fewer_events()}


def _limits() -> Document:
    resource = [
        *_attributes("resource", length=_NAME_BYTES),
        *(cut(f"scope.{field}", _NAME_BYTES) for field in ("name", "version")),
        *_attributes("scope", length=_NAME_BYTES),
    ]
    span = [
        *wrong_clock(_OLDEST),
        cut("span.name", _NAME_BYTES),
        cut("span.status.message", ATTRIBUTE_BYTES),
        f'set(span.trace_state, "") where Len(span.trace_state) > {_NAME_BYTES}',
        *_attributes("span", length=ATTRIBUTE_BYTES, kept=f'"{CLAIMED_START}"'),
        count_events(_EVENTS),
    ]
    some = f"Len(span.events) > {_EVENTS_WITH_ALL}"
    event = [
        cut("spanevent.name", _NAME_BYTES),
        *_attributes("spanevent", length=ATTRIBUTE_BYTES),
        *_limit("spanevent", _SOME, _EXCEPTION, where=some),
        *_limit("spanevent", 0, "", where=f"Len(span.events) > {_EVENTS_WITH_SOME}"),
    ]
    return {"error_mode": "ignore", "trace_statements": [{"statements": part} for part in (resource, span, event)]}


def fewer_events(most: int = _EVENTS) -> Document:
    """A filter processor after it: drops the events of spans with more than these, which count them."""
    return {"error_mode": "ignore", "traces": {"spanevent": [f"Len(span.events) > {most}"]}}


def count_events(most: int) -> str:
    """A statement that counts the events that fewer_events will drop."""
    dropped = "span.dropped_events_count"
    return f"set({dropped}, {dropped} + Len(span.events)) where Len(span.events) > {most}"


def wrong_clock(oldest: str) -> list[str]:
    """Statements that replace times of spans that began before this duration, or will begin."""
    wrong = f'span.start_time < Now() - Duration("{oldest}") or span.start_time > Now() + Duration("{_NEWEST}")'
    written = 'FormatTime(span.start_time, "%Y-%m-%dT%H:%M:%S.%LZ")'
    return [
        f'set(span.attributes["{CLAIMED_START}"], {written}) where {wrong}',
        f"set(span.end_time, Now() + (span.end_time - span.start_time)) where {wrong}",
        f"set(span.start_time, Now()) where {wrong}",
        "set(span.end_time, span.start_time) "
        f'where span.end_time > Now() + Duration("{_NEWEST}") or span.end_time < span.start_time',
    ]


def metric_labels(services: Mapping[str, Sequence[str]]) -> Document:
    """A transform processor for the spans of all traces, before they are counted. `services` are names by namespace."""
    statements = [{"statements": metric_names(services)}, {"statements": [cut("span.name", METRIC_LABEL_BYTES)]}]
    return {"error_mode": "ignore", "trace_statements": statements}


def _attributes(of: str, *, length: int, kept: str = "") -> list[str]:
    path = f"{of}.attributes"
    return [
        # Jaeger turns lists, maps and bytes into texts. Other types stay as they are unless there is much of them.
        f"stringify_all({path}) where Len(String({path})) > {length}",
        f'truncate_all({path}, {length}, truncation_marker="{CUT}")',
        f'delete_matching_keys({path}, "(?s)^.{{{_KEY_LETTERS + 1}}}")',
        *_limit(of, ATTRIBUTES, kept),
    ]


def _limit(of: str, most: int, kept: str, where: str = "true") -> list[str]:
    """Keeps `most` attributes, and counts the others."""
    path, dropped = f"{of}.attributes", f"{of}.dropped_attributes_count"
    too_many = f"where Len({path}) > {most} and {where}"
    return [
        f"set({dropped}, {dropped} + Len({path}) - {most}) {too_many}",
        f"limit({path}, {most}, [{kept}]) {too_many}",
    ]
