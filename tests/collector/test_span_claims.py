"""What a program says of its own identity in a trace: its service is believed, and nothing else."""

import time
from pathlib import Path
from typing import Any

import httpx

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from tests.collector import jaeger
from tests.collector.pipeline import log_pipeline
from tools.programs import configured, eventually

TRACE = "0123456789abcdef0123456789abcdef"
FORGED = "forged"


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
    listen = jaeger.loopback()
    config = jaeger_config.render(
        JaegerConfig(
            retention="7d", prometheus="http://127.0.0.1:9", data_folder=str(tmp_path / "traces"), listen=listen
        )
    )
    store = configured("jaeger", config, tmp_path / "jaeger", jaeger.health(listen))
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
