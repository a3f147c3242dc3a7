"""The configuration of the collector of Kubernetes' events: each becomes a log line in Loki.

Pure: converts settings to YAML.
"""

from dataclasses import dataclass, field

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector import shared_config
from components.collector.shared_config import Listen

APP_LABEL = "kubernetes-events"
"""Value of the labels `app` and `service` of events in Loki. The third label is the namespace of the event's object."""
FIELDS = ("reason", "kind", "object", "count", "level")
"""What stays searchable beside the line."""


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    """Inputs of the configuration."""

    gateway: str
    """gRPC target that resolves to all gateways."""
    kube_config: bool = False
    """True to find the API server by $KUBECONFIG instead of a pod's service account."""
    listen: Listen = field(default_factory=Listen)


def render(config: EventsConfig) -> str:
    """The YAML that the collector reads."""
    document: Document = {
        "extensions": {"health_check": shared_config.health_check(config.listen)},
        "receivers": {"k8s_events": {"auth_type": "kubeConfig" if config.kube_config else "serviceAccount"}},
        "processors": {"memory_limiter": shared_config.memory_limiter(), "transform/line": _line()},
        "exporters": {
            "otlp_grpc/gateway": {
                "endpoint": config.gateway,
                "balancer_name": "round_robin",
                **shared_config.grpc_client(),
                "retry_on_failure": shared_config.retry_for_ever(),
                # In memory: the API server keeps events for an hour, for whoever misses one after a kill.
                "sending_queue": {"queue_size": 1000},
            }
        },
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "logs": {
                    "receivers": ["k8s_events"],
                    "processors": ["memory_limiter", "transform/line"],
                    "exporters": ["otlp_grpc/gateway"],
                }
            },
            "telemetry": shared_config.own_telemetry(config.listen.host, config.listen.metrics),
        },
    }
    return write_yaml(document)


def _line() -> Document:
    """Gives an event the labels of a log line. The receiver makes one resource for each event.

    Releases of the receiver put the namespace into the record or the resource. Nodes have none.
    """
    event, object_ = 'log.attributes["k8s.event.{}"]'.format, 'resource.attributes["k8s.object.{}"]'.format
    namespace = 'resource.attributes["k8s.namespace.name"]'
    of_record = 'log.attributes["k8s.namespace.name"]'
    kept = ", ".join(f'"{name}"' for name in FIELDS)
    text = f'Concat([{object_("kind")}, "/", {object_("name")}, " ", {event("reason")}, ": ", log.body.string], "")'
    return {
        "error_mode": "ignore",
        "log_statements": [
            {
                "statements": [
                    f"set({namespace}, {of_record}) where {namespace} == nil and {of_record} != nil",
                    f'set(resource.attributes["k8s.pod.name"], {object_("name")}) where {object_("kind")} == "Pod"',
                    f'set(resource.attributes["app"], "{APP_LABEL}")',
                    f'delete_key(resource.attributes, "k8s.namespace.name") where {namespace} == ""',
                    'delete_key(resource.attributes, "k8s.node.name") where resource.attributes["k8s.node.name"] == ""',
                    f"set(log.body.string, {text})",
                    f'set(log.attributes["reason"], {event("reason")})',
                    f'set(log.attributes["kind"], {object_("kind")})',
                    f'set(log.attributes["object"], {object_("name")})',
                    f'set(log.attributes["count"], {event("count")})',
                    'set(log.attributes["level"], "info")',
                    'set(log.attributes["level"], "warn") where log.severity_text == "Warning"',
                    f"keep_keys(log.attributes, [{kept}])",
                ]
            }
        ],
    }
