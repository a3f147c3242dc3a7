"""Spans through real agent, gateway and Jaeger, which restart in between: each trace is whole."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from tests.collector import jaeger, odd_spans
from tests.collector.pipeline import log_pipeline
from tools.programs import configured, eventually


def test_every_trace_is_whole_over_restarts(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    listen = jaeger.loopback()
    config = jaeger_config.render(
        JaegerConfig(
            retention="7d", prometheus="http://127.0.0.1:9", data_folder=str(tmp_path / "traces"), listen=listen
        )
    )
    store = configured("jaeger", config, tmp_path / "jaeger", jaeger.health(listen))
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
