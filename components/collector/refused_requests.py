"""Counts requests that a receiver refuses before it counts their records: too large, or no OTLP.

A gateway counts also for the agents: their exporter of traces has no counters of its own.

The counters of the HTTP and gRPC servers see them. Only the level `detailed` has these, with an address that each
client chooses, so views keep only the status. A view of one's own replaces those of the level `normal`, which follow.
"""

from alerting.base import Document
from components.collector import shared_config
from components.collector.shared_config import Listen

_INSTRUMENTATION = "go.opentelemetry.io/contrib/instrumentation"
_HTTP, _GRPC = f"{_INSTRUMENTATION}/net/http/otelhttp", f"{_INSTRUMENTATION}/google.golang.org/grpc/otelgrpc"
_COLLECTOR = "go.opentelemetry.io/collector"
# Meter -> instruments that the level `normal` drops. Others of its views are about components that are not built in.
_DROPPED = (
    (_HTTP, "*"),
    (_GRPC, "*"),
    (f"{_COLLECTOR}/processor/processorhelper", "otelcol_processor_internal_duration"),
    (f"{_COLLECTOR}/processor/batchprocessor", "otelcol_processor_batch_batch_send_size_bytes"),
    (f"{_COLLECTOR}/exporter/exporterhelper", "otelcol_exporter_queue_batch_send_size*"),
    (f"{_COLLECTOR}/exporter/exporterhelper", "otelcol_exporter_enqueue_size*"),
    (f"{_COLLECTOR}/service", "otelcol.*.consumed.size"),
    (f"{_COLLECTOR}/service", "otelcol.*.produced.size"),
)


def telemetry(listen: Listen) -> Document:
    """A collector's own telemetry with `otelcol_receiver_http_requests_count` and `..._grpc_requests_count`.

    Their labels are `http_response_status_code` and `rpc_response_status_code`.
    """
    own = shared_config.own_telemetry(listen.host, listen.metrics)
    views = [
        _requests("otelcol_receiver_http_requests", _HTTP, "http.server.request.duration", "http.response.status_code"),
        _requests("otelcol_receiver_grpc_requests", _GRPC, "rpc.server.call.duration", "rpc.response.status_code"),
        *(_view(meter, instrument, {"aggregation": {"drop": {}}}) for meter, instrument in _DROPPED),
        _view(
            f"{_COLLECTOR}/exporter/exporterhelper",
            "otelcol_exporter_send_failed_*",
            {"attribute_keys": {"excluded": ["error.type", "error.permanent"]}},
        ),
    ]
    return {**own, "metrics": {**own["metrics"], "level": "detailed", "views": views}}


def _requests(name: str, meter: str, duration: str, status: str) -> Document:
    """The number of requests by status, taken from a histogram of durations without its buckets."""
    stream: Document = {
        "name": name,
        "attribute_keys": {"included": [status]},
        "aggregation": {"explicit_bucket_histogram": {"boundaries": []}},
    }
    return _view(meter, duration, stream)


def _view(meter: str, instrument: str, stream: Document) -> Document:
    return {"selector": {"meter_name": meter, "instrument_name": instrument}, "stream": stream}
