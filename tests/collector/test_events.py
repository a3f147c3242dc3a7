"""Events of Kubernetes become log lines with few labels: by the collector of events and the gateway.

A server with the part of Kubernetes' API that lists and watches events stands for the cluster. The receiver is the
one of the local build; the Collector's image has the original.
"""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from components.collector import events_config
from components.collector.events_config import FIELDS, EventsConfig
from tests.collector.pipeline import log_pipeline
from tests.collector.processes import Line, collector, loopback
from tools.http_server import Handler, serving
from tools.programs import eventually


def event(reason: str, kind: str, name: str, message: str, *, minutes: int = 1, **more: Any) -> dict[str, Any]:
    """An event, so many minutes after now."""
    moment = (datetime.now(tz=UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    namespace = None if kind == "Node" else "shop"
    uid = f"{name}-{reason}"
    metadata = {"name": uid, "namespace": namespace or "default", "uid": uid, "resourceVersion": "7"}
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": metadata,
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace, "uid": "u", "apiVersion": "v1"},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "lastTimestamp": moment,
        "source": {"component": "kubelet", "host": "node-1"},
        **more,
    }


def _old() -> dict[str, Any]:
    return event("Scheduled", "Pod", "old-0", "before the start", minutes=-30)


def _new() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("ADDED", event("Started", "Pod", "till-0", "Started container till", type="Normal", count=1)),
        ("MODIFIED", event("BackOff", "Pod", "till-1", "Back-off restarting", count=7)),
        ("ADDED", event("NodeNotReady", "Node", "node-1", "Node is not ready")),
    ]


def _api(ends: threading.Event) -> type[Handler]:
    class Api(Handler):
        def respond(self) -> None:
            asked = {key: value[0] for key, value in parse_qs(urlsplit(self.path).query).items()}
            if "sendInitialEvents" in asked:
                self.answer(422, json.dumps({"kind": "Status", "status": "Failure", "code": 422}).encode())
            elif "watch" in asked:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                for what, one in _new():
                    self.wfile.write(json.dumps({"type": what, "object": one}).encode() + b"\n")
                    self.wfile.flush()
                ends.wait(60)
            else:
                listed: Mapping[str, Any] = {"metadata": {"resourceVersion": "7"}, "items": [_old()]}
                self.answer(200, json.dumps({"kind": "EventList", "apiVersion": "v1", **listed}).encode())

    return Api


def test_an_event_becomes_a_line_with_the_labels_of_its_object(tmp_path: Path) -> None:
    ends, listen = threading.Event(), loopback()
    with log_pipeline(tmp_path / "pipeline") as pipeline, serving(_api(ends)) as url:
        login = tmp_path / "kubeconfig"
        login.write_text(_kubeconfig(url))
        config = EventsConfig(gateway=pipeline.gateway_grpc, kube_config=True, listen=listen)
        events = collector(events_config.render(config), tmp_path / "events", listen)
        events.environment = {"KUBECONFIG": str(login)}
        try:
            with events:
                lines = eventually(
                    lambda: len(pipeline.sink.lines) >= len(_new()) and pipeline.sink.lines, what="no line"
                )
        finally:
            ends.set()
    assert {line.body: _labels(line) for line in lines} == {
        "Pod/till-0 Started: Started container till": {"namespace": "shop", **_APP},
        "Pod/till-1 BackOff: Back-off restarting": {"namespace": "shop", **_APP},
        # A node has no namespace.
        "Node/node-1 NodeNotReady: Node is not ready": _APP,
    }
    (back_off,) = (line for line in lines if "BackOff" in line.body)
    values = ("BackOff", "Pod", "till-1", "7", "warn")
    assert back_off.attributes == dict(zip(FIELDS, values, strict=True))
    assert (back_off.resource["pod"], back_off.resource["node"]) == ("till-1", "node-1")


_APP = {"app": events_config.APP_LABEL, "service": events_config.APP_LABEL}


def _labels(line: Line) -> dict[str, Any]:
    return {name: value for name, value in line.resource.items() if name not in ("pod", "node")}


def _kubeconfig(url: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
            "current-context": "c",
        }
    )
