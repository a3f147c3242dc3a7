"""The workload of an environment: declared in workload.yaml, or measured by a running Prometheus."""

from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import Field, ValidationError

from alerting.base import Strict
from alerting.files import read_yaml
from alerting.problems import RulesError, describe
from ops.clients.signals import Prometheus
from ops.errors import OpsError

FILE = Path(__file__).with_name("workload.yaml")

_Value = TypeVar("_Value")
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=1)]


class Reasoned(Strict, Generic[_Value]):
    """A value and the reason for it."""

    value: _Value
    reason: Annotated[str, Field(min_length=1)]


class Workload(Strict):
    """The load on one environment's platform."""

    nodes: Reasoned[_Count]
    """Observed nodes; an agent runs on each."""
    node_type: Reasoned[str]
    """Node type for the platform's pods: a key of prices.yaml without `node_`."""
    zones: Reasoned[_Count]
    series: Reasoned[_Number]
    """Active at one time, in one Prometheus."""
    log_gb_per_day: Reasoned[_Number]
    """Uncompressed, in 10^9 bytes."""
    log_streams: Reasoned[_Number]
    """Active at one time."""
    traces_per_second: Reasoned[_Number]
    spans_per_trace: Reasoned[_Number]
    error_ratio: Reasoned[_Share]
    """Share of the traces with an error; all of those are sampled."""
    log_queries_per_day: Reasoned[_Number]
    users_gb_per_day: Reasoned[_Number]
    """Through the load balancer, in 10^9 bytes."""
    control_plane_log_gb_per_day: Reasoned[_Number] = Reasoned(
        value=1.0, reason="all five logs of a small cluster, most of it the audit log; look at the log group's metrics"
    )
    """Of a cluster that the stack creates, in 10^9 bytes."""
    opensearch_log_gb_per_day: Reasoned[_Number] = Reasoned(
        value=0.05, reason="errors and slow requests; the audit log is empty until the domain is told what to write"
    )
    """Log lines of an OpenSearch domain that the stack creates, in 10^9 bytes."""
    long_term_samples_per_day: Reasoned[_Number] = Reasoned(
        value=1e9, reason="five loads of twenty panels with 100 series each over 30 days at 30 s"
    )
    """That queries read from the long-term store."""
    snapshots: Reasoned[_Number] = Reasoned(
        value=1, reason="one full copy of each volume; what later snapshots share with it costs nothing"
    )
    """Full copies of the volumes."""


def load(environment: str, file: Path = FILE) -> Workload:
    """The declared workload of an environment. Raises OpsError that lists every problem."""
    try:
        document = read_yaml(file, file.name)
    except RulesError as error:
        raise OpsError(str(error)) from error
    environments = cast(dict[str, Any], document).get("environments") if isinstance(document, dict) else None
    known = cast(dict[str, Any], environments) if isinstance(environments, dict) else {}
    if environment not in known:
        declared = ", ".join(known) or "none"
        raise OpsError(f"{file.name}: environments.{environment}: missing; declare it; declared are: {declared}")
    try:
        return Workload.model_validate(known[environment])
    except ValidationError as error:
        raise OpsError("\n".join(describe(error, f"{file.name}: environments.{environment}"))) from error


_RATE = "[1h]"
# Queries on the platform's own metrics. Each replica of Prometheus has all series (max); each Loki and each collector
# receives only a part of the data (sum).
_QUERIES = {
    "series": "max(prometheus_tsdb_head_series)",
    "log_gb_per_day": f"sum(rate(loki_distributor_bytes_received_total{_RATE})) * 86400 / 1e9",
    "log_streams": "max(loki_ingester_memory_streams)",
    "spans_per_second": (
        f'sum(rate({{__name__=~"otelcol_receiver_accepted_spans(_total)?", app="otel-gateway"}}{_RATE}))'
    ),
}


def measured(declared: Workload, url: str) -> Workload:
    """The declared workload, updated with the measurements of the last hour of the Prometheus at `url`.

    Raises OpsError.
    """
    prometheus = Prometheus(url)
    numbers = {key: value for key, query in _QUERIES.items() if (value := _value(prometheus, query)) is not None}
    if "series" not in numbers:
        raise OpsError(f"Prometheus at {url} has no prometheus_tsdb_head_series: it does not scrape itself")
    spans = numbers.pop("spans_per_second", None)
    if spans is not None and declared.spans_per_trace.value:
        numbers["traces_per_second"] = spans / declared.spans_per_trace.value
    reason = "measured, mean of the last hour"
    return declared.model_copy(
        update={key: Reasoned[float](value=value, reason=reason) for key, value in numbers.items()}
    )


def _value(prometheus: Prometheus, query: str) -> float | None:
    """The number in the query's result; None if the result is empty."""
    result = prometheus.query(query)
    return float(result[0]["value"][1]) if result else None
