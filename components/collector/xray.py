"""Sends kept traces to X-Ray, too, cut to what its OTLP endpoint accepts.

It refuses a whole request for one span that is too large or too old. Its documented limits: 200 KB a span; 5 MB and
10,000 spans a request; spans from 14 days ago to 2 hours ahead, and all of a request within 24 hours. Jaeger has the
spans as span_limits leaves them.
"""

from alerting.base import Document
from components.collector import span_limits
from components.collector.cuts import CUT, cut
from settings.eks.aws import dns_suffix

# The largest request. No span is so small that 10,000 fit into it.
_BATCH_BYTES = 512 * 1024
# Together with names, less than 200 KB: 64 attributes, and either 32 events with 4 attributes each or 512 without.
_ATTRIBUTES, _ATTRIBUTES_BYTES = 64, 48 * 1024
_EVENTS, _EVENT_ATTRIBUTES, _EVENT_BYTES = 32, 4, 2 * 1024
_MOST_EVENTS = 512
_NAME_BYTES, _KEY_LETTERS, _VALUE_BYTES = 256, 64, 512
_STATUS_BYTES = 4 * 1024
# Spans of a request come from within 24 hours, with those that wait in the queue.
_OLDEST = "12h"
_EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")

PIPELINE: Document = {
    "receivers": ["forward/xray"],
    "processors": ["transform/xray", "filter/xray"],
    "exporters": ["otlp_http/xray"],
}
"""The pipeline behind the connector `forward/xray`."""


def processors() -> Document:
    """Those of the pipeline, for spans that span_limits has cut."""
    return {"transform/xray": _limits(), "filter/xray": span_limits.fewer_events(_MOST_EVENTS)}


def exporter(region: str, delivery: Document) -> Document:
    """The exporter of the pipeline; `delivery` is its queue and how it tries again."""
    queue = delivery["sending_queue"]
    return {
        "traces_endpoint": f"https://xray.{region}.{dns_suffix(region)}/v1/traces",
        "auth": {"authenticator": "sigv4auth"},
        # The signature covers the body in the form in which it is sent.
        "compression": "none",
        **delivery,
        "sending_queue": {**queue, "batch": {**queue["batch"], "max_size": _BATCH_BYTES}},
    }


def _limits() -> Document:
    """A transform processor, for spans that span_limits has cut."""
    many = f"where Len(span.events) > {_EVENTS}"
    resource = [
        *_attributes("resource", most=32, size=8 * 1024, kept=("service.name",)),
        "keep_keys(scope.attributes, [])",
    ]
    span = [
        *span_limits.wrong_clock(_OLDEST),
        *_attributes("span", most=_ATTRIBUTES, size=_ATTRIBUTES_BYTES, kept=(span_limits.CLAIMED_START,)),
        cut("span.name", _NAME_BYTES),
        cut("span.status.message", _STATUS_BYTES),
        span_limits.count_events(_MOST_EVENTS),
    ]
    event = [
        f"keep_keys(spanevent.attributes, []) {many}",
        f"set(spanevent.name, Substring(spanevent.name, 0, 64, utf8_safe=true)) {many} and Len(spanevent.name) > 64",
        cut("spanevent.name", _NAME_BYTES),
        *_attributes("spanevent", most=_EVENT_ATTRIBUTES, size=_EVENT_BYTES, kept=_EXCEPTION),
    ]
    return {"error_mode": "ignore", "trace_statements": [{"statements": part} for part in (resource, span, event)]}


def _attributes(of: str, *, most: int, size: int, kept: tuple[str, ...]) -> list[str]:
    """Cuts attributes that are larger than `size` together."""
    path = f"{of}.attributes"
    large = f"where Len(String({path})) > {size}"
    names = ", ".join(f'"{name}"' for name in kept)
    return [
        f'delete_matching_keys({path}, "(?s)^.{{{_KEY_LETTERS + 1}}}") {large}',
        f"limit({path}, {most}, [{names}]) {large}",
        f"stringify_all({path}) {large}",
        f'truncate_all({path}, {_VALUE_BYTES}, truncation_marker="{CUT}") {large}',
    ]
