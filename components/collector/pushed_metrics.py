"""What becomes of the metrics that programs push, before they are series in Prometheus.

Pure. They get the labels of a scraped series, and may claim no more than a scraped pod, see scrape_claims. Prometheus
refuses a whole request for one point that it cannot store, so no request is merged with that of another pod.
"""

from collections.abc import Mapping, Sequence

from alerting import speakers
from alerting.base import Document
from components.collector import services, shared_config
from components.collector.cuts import CUT, cut
from components.metrics.prometheus_config import OUT_OF_ORDER, PUSHED_LABELS
from components.metrics.scrape_claims import EXPORTED, RESERVED
from settings import sizes

JOB = "otlp"
"""Value of the label `job` of every pushed series."""
OVERFLOW = "otel.metric.overflow"
"""Attribute of the point that stands for all points of a metric that has too many. SDKs use the same."""

# Name of the copy that counts a metric with too many points.
_TOO_MANY_POINTS = "too_many_points"
# Labels that only the platform gives to a series. A program's own `service` stays, as it does in a scrape.
_PLATFORM_LABELS = (*(label for label in PUSHED_LABELS if label != "service"), "job", "instance")
_VALUE_BYTES = 256
_NAME_LETTERS = 128
_ATTRIBUTES = 32
_DESCRIPTION_BYTES = 1024
# A program sends at once, and tries again for about a minute.
_OLDEST, _NEWEST = "10m", "1m"
# Prometheus turns all that separates words into one underscore, and drops it at both ends of a name.
_SEPARATORS = "[^a-zA-Z0-9:]"


def agent_processors() -> Document:
    """The processors of the agent that only pushed metrics need."""
    return {
        "filter/no_claims": _names(),
        "transform/metric_limits": _limits(),
        # It drops nothing but a copy, which it counts.
        "filter/too_many_points": {"metrics": {"metric": [f'metric.name == "{_TOO_MANY_POINTS}"']}},
        # All that a pod pushes comes to the agent of its node, in its order.
        "delta_to_cumulative": {"max_stale": "6h", "max_streams": sizes.PUSHED_DELTAS},
    }


def agent_pipeline(sender: Sequence[str]) -> list[str]:
    """The order of the agent's processors; `sender` are those that name the pod.

    Deltas come last: those of two pods are not added up only if their names tell them apart.
    """
    limited = ("transform/no_claims", "filter/no_claims", "transform/metric_limits", "filter/too_many_points")
    return ["memory_limiter", *limited, *sender, "delta_to_cumulative"]


def _names() -> Document:
    """A filter processor that drops metrics with a name that is the platform's, and counts their points.

    Prometheus appends the unit to the name.
    """
    reserved = "|".join(
        (speakers.OWN_NAMES, speakers.RECORDED_NAMES, speakers.EXPORTED_NAMES, speakers.NODE_NAMES)
    ).replace("_", f"{_SEPARATORS}+")
    pattern = f"^{_SEPARATORS}*(?:{reserved}){_SEPARATORS}*$"
    with_unit = 'Concat([metric.name, metric.unit], "_")'
    return {
        "metrics": {
            "metric": [
                f'IsMatch(metric.name, "{pattern}") or IsMatch({with_unit}, "{pattern}")',
                f"Len(metric.name) > {_VALUE_BYTES}",
                # A summary cannot be added up, see _limits.
                f"metric.type == METRIC_DATA_TYPE_SUMMARY and {_TOO_MANY}",
            ]
        }
    }


_TOO_MANY = f"Len(metric.data_points) > {sizes.PUSHED_POINTS}"


def _limits() -> Document:
    """A transform processor that bounds labels, points and times.

    An SDK sends all points of a metric in one request. Above the limit only their sum is kept, so that totals stay
    right, and of a gauge the highest.
    """
    attributes, gauge = "datapoint.attributes", "metric.type == METRIC_DATA_TYPE_GAUGE"
    wrong = f'datapoint.time < Now() - Duration("{_OLDEST}") or datapoint.time > Now() + Duration("{_NEWEST}")'
    claimed = "|".join((*_PLATFORM_LABELS, *RESERVED)).replace("_", f"{_SEPARATORS}+")
    return {
        "error_mode": "ignore",
        "metric_statements": [
            {
                "statements": [
                    # The name tells metrics of two libraries apart. A new version would be a new series.
                    "keep_keys(scope.attributes, [])",
                    'set(scope.version, "")',
                    cut("scope.name", _VALUE_BYTES),
                ]
            },
            {"statements": [cut("metric.description", _DESCRIPTION_BYTES)]},
            {
                "statements": [
                    f"stringify_all({attributes})",
                    f'truncate_all({attributes}, {_VALUE_BYTES}, truncation_marker="{CUT}")',
                    f'delete_matching_keys({attributes}, "(?s)^[^a-zA-Z0-9]*$|^__|^.{{{_NAME_LETTERS + 1}}}")',
                    f'replace_all_patterns({attributes}, "key", "^({claimed})$", "{EXPORTED}$$1")',
                    f"limit({attributes}, {_ATTRIBUTES}, [])",
                    f"keep_keys({attributes}, []) where {_TOO_MANY}",
                    f'set({attributes}["{OVERFLOW}"], "true") where {_TOO_MANY}',
                    # Only points of the same time are added up.
                    f"set(datapoint.start_time_unix_nano, 0) where {_TOO_MANY}",
                    f"set(datapoint.time_unix_nano, 0) where {_TOO_MANY}",
                ]
            },
            {
                "statements": [
                    f'copy_metric(name="{_TOO_MANY_POINTS}") where {_TOO_MANY} and metric.name != "{_TOO_MANY_POINTS}"',
                    f'aggregate_on_attributes("sum") where {_TOO_MANY} and not ({gauge})',
                    f'aggregate_on_attributes("max") where {_TOO_MANY} and {gauge}',
                ]
            },
            {"statements": [f"set(datapoint.time, Now()) where {wrong}"]},
        ],
    }


def labels(names_of_services: Mapping[str, Sequence[str]]) -> Document:
    """A transform processor that gives a resource the labels of a scraped pod, and a `service` that is known."""
    attribute = 'resource.attributes["{}"]'.format
    renamed = (("namespace", "k8s.namespace.name"), ("pod", "k8s.pod.name"), ("node", "k8s.node.name"))
    known = services.known("service", "namespace", names_of_services)
    kept = ", ".join(f'"{name}"' for name in (*PUSHED_LABELS, "service.name", "service.instance.id"))
    statements = [
        *(f"set({attribute(to)}, {attribute(source)})" for to, source in renamed),
        f'set({attribute("app")}, "unknown") where {attribute("app")} == nil',
        f"set({attribute('service')}, {attribute('service.name')})",
        f"set({attribute('service')}, {attribute('app')}) where not {known}",
        # Prometheus makes the label `job` of this name, and `instance` of the id, by which processes of a pod differ.
        f'set({attribute("service.name")}, "{JOB}")',
        f"set({attribute('service.instance.id')}, {attribute('pod')}) "
        f"where not IsString({attribute('service.instance.id')})",
        f"keep_keys(resource.attributes, [{kept}])",
        f'truncate_all(resource.attributes, {_VALUE_BYTES}, truncation_marker="{CUT}")',
    ]
    return {"error_mode": "ignore", "metric_statements": [{"statements": statements}]}


def exporters(targets: Sequence[str], queue_bytes: int) -> Document:
    """An exporter for each Prometheus, by host:port. Each has a queue of its own, because each needs every point.

    A server refuses points that are older than its window (400), so nothing is tried for longer. They are counted.
    """
    return {
        f"otlp_http/prometheus-{number}": {
            "endpoint": f"http://{target}/api/v1/otlp",
            "timeout": "30s",
            "retry_on_failure": {**shared_config.retry_for_ever(), "max_elapsed_time": OUT_OF_ORDER},
            "sending_queue": shared_config.unbatched_queue(queue_bytes),
        }
        for number, target in enumerate(targets)
    }
