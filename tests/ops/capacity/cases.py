"""Builders of a sizing and a workload with small defaults."""

from typing import Any

from ops.capacity import sizing
from ops.capacity.sizing import Sizing
from ops.capacity.workload import Workload

# Keys without a default.
REQUIRED = {"clusterName": "test", "runbookBaseUrl": "https://runbooks.example.com"}
EKS = {**REQUIRED, "cloud": "eks", "awsRegion": "eu-central-1", "lokiStorageBackend": "s3"}


def sized(**values: Any) -> Sizing:
    """The project's defaults on EKS with these settings."""
    return sizing.read({**EKS, **values})


def work(**values: Any) -> Workload:
    """A small workload with these numbers."""
    numbers: dict[str, Any] = {
        "nodes": 3,
        "node_type": "m6i_xlarge",
        "zones": 3,
        "series": 60_000.0,
        "log_gb_per_day": 5.0,
        "log_streams": 200.0,
        "traces_per_second": 20.0,
        "spans_per_trace": 12.0,
        "error_ratio": 0.02,
        "log_queries_per_day": 500.0,
        "users_gb_per_day": 2.0,
    } | values
    return Workload.model_validate({key: {"value": value, "reason": "a test"} for key, value in numbers.items()})
