"""The metrics of a service that nobody scrapes are sent, with the names and values of the page."""

from typing import Any, cast

import pytest
from observability_fastapi import InstrumentationError
from observability_fastapi.counting import push
from observability_fastapi.failures import FAILURES
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Counter, Gauge, Summary

from instrumentation.tests.test_features import shop


class Receiver:
    """An OTLP exporter that keeps what it gets."""

    def __init__(self, *results: Any) -> None:
        self.results, self.got = list(results), cast("list[Any]", [])

    def export(self, data: Any, timeout_millis: float) -> Any:
        self.got.append(data)
        result = self.results.pop(0) if self.results else MetricExportResult.SUCCESS
        if isinstance(result, Exception):
            raise result
        return result


def test_metrics_can_be_sent_with_the_names_and_values_of_the_page() -> None:
    service = shop()
    Counter("sales", "Sales.", registry=service.registry).inc(3)
    Gauge("stock", "Stock.", registry=service.registry).set(7)
    Summary("wait", "Wait.", registry=service.registry).observe(2)
    for _ in range(2):
        service.ask("/items/1")
    receiver: Any = Receiver()
    assert push.Push(service.registry, "shop", receiver).send()
    (resource,) = receiver.got[0].resource_metrics
    assert resource.resource.attributes["service.name"] == "shop"
    assert resource.resource.attributes["service.instance.id"]
    found = {one.name: one.data for one in resource.scope_metrics[0].metrics}
    assert found["request_count"].data_points[0].value == 2
    assert found["request_count"].data_points[0].attributes["endpoint"] == "/items/{item_id}"
    assert not found["request_count"].is_monotonic
    assert (found["sales"].data_points[0].value, found["sales"].is_monotonic) == (3, True)
    assert found["stock"].data_points[0].value == 7
    assert found["wait_sum"].data_points[0].value == 2
    (point,) = found["request_duration_seconds"].data_points
    assert (point.count, sum(point.bucket_counts), len(point.bucket_counts)) == (2, 2, len(point.explicit_bounds) + 1)
    assert b"request_count" in encode_metrics(receiver.got[0]).SerializeToString()


def test_exemplars_are_sent_with_their_buckets() -> None:
    trace, span = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    service = shop(tracer=TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    service.ask("/items/1", headers={"traceparent": f"00-{trace}-{span}-01"})
    receiver: Any = Receiver()
    assert push.Push(service.registry, "shop", receiver).send()
    found = {one.name: one.data for one in receiver.got[0].resource_metrics[0].scope_metrics[0].metrics}
    (point,) = found["request_duration_seconds"].data_points
    (exemplar,) = point.exemplars
    assert (f"{exemplar.trace_id:032x}", 0 < exemplar.value < 10) == (trace, True)
    assert abs(exemplar.time_unix_nano - point.time_unix_nano) < 60e9
    assert bytes.fromhex(trace) in encode_metrics(receiver.got[0]).SerializeToString()


def test_a_receiver_that_fails_is_told_of_once_and_stops_nothing() -> None:
    failure = MetricExportResult.FAILURE
    receiver: Any = Receiver(failure, failure, ValueError("no"))
    sender = push.Push(shop().registry, "shop", receiver)
    assert [sender.send() for _ in range(4)] == [False, False, False, True]
    assert FAILURES.counts() == {"push": 1}


def test_push_needs_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with pytest.raises(InstrumentationError, match="push is on, and OTEL_EXPORTER_OTLP_ENDPOINT names no receiver"):
        shop(push=True)
