"""Spans through real agent, gateway and Jaeger: traces are whole over restarts, and only a service is believed."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig, Listen
from tests.collector import jaeger, odd_spans
from tests.collector.pipeline import log_pipeline
from tools.programs import Server, configured, eventually

TRACE = "0123456789abcdef0123456789abcdef"
FORGED = "forged"


def _jaeger(folder: Path) -> tuple[Listen, Server]:
    listen = jaeger.loopback()
    config = jaeger_config.render(
        JaegerConfig(retention="7d", prometheus="http://127.0.0.1:9", data_folder=str(folder / "traces"), listen=listen)
    )
    return listen, configured("jaeger", config, folder / "jaeger", jaeger.health(listen))


def test_every_trace_is_whole_over_restarts(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    listen, store = _jaeger(tmp_path)
    sent: dict[str, int] = {}
    kinds: dict[str, str] = {}

    def stored() -> Counter[str]:
        found: Counter[str] = Counter()
        for trace in sent:
            answer = httpx.get(f"http://127.0.0.1:{listen.query}/api/traces/{trace}", timeout=60)
            if answer.is_success:
                (one,) = answer.json()["data"]
                # A second delivery has the same ids.
                found[trace] = len({span["spanID"] for span in one["spans"]})
        return found

    def whole() -> bool:
        found = stored()
        torn = {kinds[trace]: found[trace] for trace, count in sent.items() if found[trace] != count}
        if torn:
            # The failure of `eventually` then shows it.
            raise KeyError(torn)
        return True

    with store, log_pipeline(tmp_path / "collectors", jaeger=f"127.0.0.1:{listen.grpc}") as pipeline:

        def mixed() -> None:
            for kind, odd in odd_spans.kinds().items():
                trace = (len(sent) + 1).to_bytes(16)
                kinds[trace.hex()] = kind
                sent[trace.hex()] = odd_spans.send(pipeline.otlp, trace, odd)

        mixed()
        # A killed agent loses the spans of half a second, see components/collector/__init__.py.
        pipeline.agent.end(signal.SIGTERM)
        pipeline.agent.start()
        mixed()
        store.end(signal.SIGKILL)
        mixed()
        store.start()
        eventually(whole, what="traces are missing or torn", pause=1)
        pipeline.gateway.end(signal.SIGTERM)
        pipeline.gateway.start()
        mixed()
        eventually(whole, what="traces are missing or torn", pause=1)
        found = stored()
    record_property("sent", sum(sent.values()))
    record_property("stored", found.total())
    assert found == sent


def _claims(*names: str) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": FORGED}} for name in names]


def test_claims_are_removed_or_renamed_wherever_they_stand(tmp_path: Path) -> None:
    now = str(time.time_ns())
    span = {
        "traceId": TRACE,
        "spanId": TRACE[:16],
        "name": "pay",
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "status": {"code": 2},  # an error, so that sampling keeps the trace
        "attributes": _claims("k8s.namespace.name", "pod"),
        "events": [{"timeUnixNano": now, "name": "step", "attributes": _claims("k8s.pod.name")}],
    }
    resource = _claims("namespace", "k8s.namespace.name", "k8s.node.name", "app", "pod")
    resource.append({"key": "service.name", "value": {"stringValue": "till"}})
    scope = {"name": "shop", "attributes": _claims("k8s.pod.name", "app")}
    scopes = [{"scope": scope, "spans": [span]}]
    body = {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": scopes}]}
    listen, store = _jaeger(tmp_path)
    with store, log_pipeline(tmp_path / "collectors", jaeger=f"127.0.0.1:{listen.grpc}") as pipeline:
        httpx.post(f"{pipeline.otlp}/v1/traces", json=body, timeout=30).raise_for_status()
        api = f"http://127.0.0.1:{listen.query}/api/traces/{TRACE}"
        (trace,) = eventually(lambda: httpx.get(api).raise_for_status().json()["data"], what="no trace is stored")
    (process,), (stored,) = trace["processes"].values(), trace["spans"]
    assert process["serviceName"] == "till"
    assert FORGED not in str(process), "a resource says who sent the span"
    named = {tag["key"] for tag in stored["tags"] if tag["value"] == FORGED}
    # `pod` of a span is a word of many programs, and Jaeger shows the agent's own names beside it. It shows no scope.
    assert named == {"claimed_k8s.namespace.name", "pod"}
    (event,) = stored["logs"]
    assert {field["key"] for field in event["fields"] if field["value"] == FORGED} == {"claimed_k8s.pod.name"}
