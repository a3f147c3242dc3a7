"""Metrics as a program pushes them: OTLP's JSON."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

CUMULATIVE, DELTA = 2, 1
Attributes = Mapping[str, str]


def push(url: str, *metrics: Mapping[str, Any], scope: str = "till", version: str = "", **resource: str) -> None:
    """Sends one request to a collector, as a program with these attributes of its resource, where `_` is a dot."""
    named = {name.replace("_", "."): value for name, value in resource.items()}
    body = {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes(named)},
                "scopeMetrics": [{"scope": {"name": scope, "version": version}, "metrics": metrics}],
            }
        ]
    }
    httpx.post(f"{url}/v1/metrics", json=body, timeout=30).raise_for_status()


def point(value: float, at: float = 0, exemplar: str = "", /, **attributes: str) -> dict[str, Any]:
    """A number, `at` seconds before now; with a trace's id as its exemplar."""
    moment = _nanoseconds(at)
    found: dict[str, Any] = {"asDouble": value, **_place(at, attributes)}
    if exemplar:
        found["exemplars"] = [
            {"timeUnixNano": moment, "asDouble": value, "traceId": exemplar, "spanId": "00000000000000ab"}
        ]
    return found


def counter(name: str, points: Sequence[Mapping[str, Any]], temporality: int = CUMULATIVE, unit: str = "") -> Any:
    """A sum that only grows."""
    data = {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": True}
    return {"name": name, "unit": unit, "sum": data}


def gauge(name: str, points: Sequence[Mapping[str, Any]], unit: str = "") -> Any:
    """A value of now."""
    return {"name": name, "unit": unit, "gauge": {"dataPoints": points}}


def histogram(name: str, bounds: Sequence[float], counts: Sequence[int], exemplar: str = "", **attributes: str) -> Any:
    """Values in buckets, the last one an exemplar in the last finite bucket."""
    at = {"count": str(sum(counts)), "sum": 1.0, "explicitBounds": bounds, "bucketCounts": [str(one) for one in counts]}
    one = {**_place(0, attributes), **at}
    if exemplar:
        one["exemplars"] = [{"timeUnixNano": _nanoseconds(0), "asDouble": bounds[-1], "traceId": exemplar}]
    return {"name": name, "unit": "s", "histogram": {"dataPoints": [one], "aggregationTemporality": CUMULATIVE}}


def native(name: str, counts: Sequence[int], total: int | None = None) -> Any:
    """Values in exponential buckets; with another `total` than the buckets' it is broken."""
    count = sum(counts) if total is None else total
    buckets = {"offset": 0, "bucketCounts": [str(one) for one in counts]}
    one = {**_place(0, {}), "count": str(count), "sum": 1.0, "scale": 3, "zeroCount": "0", "positive": buckets}
    data = {"dataPoints": [one], "aggregationTemporality": CUMULATIVE}
    return {"name": name, "unit": "s", "exponentialHistogram": data}


def _place(at: float, attributes: Attributes) -> dict[str, Any]:
    moments = {"startTimeUnixNano": _nanoseconds(at + 60), "timeUnixNano": _nanoseconds(at)}
    return {**moments, "attributes": _attributes(attributes)}


def _nanoseconds(before: float) -> str:
    return str(time.time_ns() - int(before * 1e9))


def _attributes(values: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
