"""Which traces the gateways keep, and which spans may become exemplars: only those of kept traces.

The decision about a trace is made when it is complete, and span metrics count its spans before. Whether a span's trace
will be kept is known early for three kinds, each of which is also a policy: spans with an error, spans as slow as a
slow trace, and spans of the share that the trace's id decides.
"""

from alerting.base import Document
from components.collector import shared_config
from settings import sizes


def tail_sampling(*, percentage: float, slow: str, decision_wait: str, memory_bytes: int) -> Document:
    """The processor that decides. It keeps errors, traces that last `slow`, and a percentage of the rest."""
    traces = int(memory_bytes * sizes.GATEWAY_TRACES_SHARE / sizes.GATEWAY_TRACE_BYTES)
    return {
        "decision_wait": shared_config.go_duration(decision_wait),
        "num_traces": traces,
        # When it is full, senders wait and queue their data. Otherwise the oldest traces, even with errors, are lost.
        "block_on_overflow": True,
        # A span that arrives after its trace's decision follows that decision. An id takes about 100 bytes.
        "decision_cache": {"sampled_cache_size": 10 * traces, "non_sampled_cache_size": 10 * traces},
        # At shutdown, the gateway decides on the pending traces with the spans that it has.
        "drop_pending_traces_on_shutdown": False,
        # A trace is kept if at least one policy samples it.
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": shared_config.milliseconds(slow)}},
            {
                "name": "share-of-the-rest",
                "type": "ottl_condition",
                "ottl_condition": {"error_mode": "ignore", "span": [_in_share(percentage)]},
            },
        ],
    }


def exemplar_filter(*, percentage: float, slow: str) -> Document:
    """A transform processor before the span metrics: removes the id of traces that may not be kept."""
    kept = (
        "span.status.code == STATUS_CODE_ERROR",
        f'span.end_time - span.start_time >= Duration("{shared_config.go_duration(slow)}")',
        _in_share(percentage),
    )
    nothing = "0" * 32
    statement = f"set(span.trace_id, TraceID(0x{nothing})) where not ({' or '.join(kept)})"
    return {"error_mode": "ignore", "trace_statements": [{"statements": [statement]}]}


def _in_share(percentage: float) -> str:
    """Condition that holds for this percentage of all traces: their ids' hashes are spread over 64 bits with a sign."""
    limit = round(2**64 * percentage / 100) - 2**63
    if limit >= 2**63:
        return "true"
    return f'FNV(span.trace_id.string) < Int("{limit}")'
