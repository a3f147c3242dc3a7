"""Cuts spans to what Jaeger's stores accept. Badger refuses a whole request for one text above 65,000 bytes.

It makes a key of each attribute with the name of the service. A text that was longer ends in CUT; attributes that were
too many count in `dropped_attributes_count`.
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
_NAME_BYTES = 1024
_KEY_LETTERS = 256


def processor() -> Document:
    """A transform processor for the spans of kept traces."""
    resource = [
        *_attributes("resource", length=_NAME_BYTES),
        *(cut(f"scope.{field}", _NAME_BYTES) for field in ("name", "version")),
        *_attributes("scope", length=_NAME_BYTES),
    ]
    span = [
        cut("span.name", _NAME_BYTES),
        cut("span.status.message", ATTRIBUTE_BYTES),
        f'set(span.trace_state, "") where Len(span.trace_state) > {_NAME_BYTES}',
        *_attributes("span", length=ATTRIBUTE_BYTES),
    ]
    event = [cut("spanevent.name", _NAME_BYTES), *_attributes("spanevent", length=ATTRIBUTE_BYTES)]
    return {"error_mode": "ignore", "trace_statements": [{"statements": part} for part in (resource, span, event)]}


def metric_labels(services: Mapping[str, Sequence[str]]) -> Document:
    """A transform processor for the spans of all traces, before they are counted. `services` are names by namespace."""
    statements = [{"statements": metric_names(services)}, {"statements": [cut("span.name", METRIC_LABEL_BYTES)]}]
    return {"error_mode": "ignore", "trace_statements": statements}


def _attributes(of: str, *, length: int) -> list[str]:
    path = f"{of}.attributes"
    return [
        # Jaeger turns lists, maps and bytes into texts. Other types stay as they are unless there is much of them.
        f"stringify_all({path}) where Len(String({path})) > {length}",
        f'truncate_all({path}, {length}, truncation_marker="{CUT}")',
        f'delete_matching_keys({path}, "(?s)^.{{{_KEY_LETTERS + 1}}}")',
        f"set({of}.dropped_attributes_count, {of}.dropped_attributes_count + Len({path}) - {ATTRIBUTES}) "
        f"where Len({path}) > {ATTRIBUTES}",
        f"limit({path}, {ATTRIBUTES}, [])",
    ]
