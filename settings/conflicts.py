"""Conflicts between settings: values that are valid alone, but not together.

A refusal shows the field's `allowed` text (settings/values.py), so that text must name the other setting.
"""

from urllib.parse import urlsplit

from alerting.durations import seconds
from alerting.routing import RETENTION
from settings import images, pages
from settings.apps import SIMULATED_NAMESPACES, agent_namespace
from settings.eks import conflicts as eks_conflicts
from settings.quantities import quantity_bytes
from settings.sizes import gateway_queue_bytes
from settings.values import Values


def conflicts(values: Values) -> dict[str, str]:
    """Maps each conflicting field to text that is appended to its "allowed" message (usually empty)."""
    return {name: "" for name, conflicting in _on_any_cloud(values).items() if conflicting} | eks_conflicts.conflicts(
        values
    )


def _on_any_cloud(values: Values) -> dict[str, object]:
    s3 = values.loki_storage_backend == "s3"
    others = ("default", *(SIMULATED_NAMESPACES if values.simulator else ()))
    region_is_used = values.cloud == "eks" or (s3 and not values.loki_s3_endpoint)
    return {
        # An equal interval is as wrong as a shorter one: see Routing.timing_problems.
        "repeat_interval": not (seconds(values.group_interval) < seconds(values.repeat_interval) <= seconds(RETENTION)),
        "namespace": values.namespace.startswith("kube-") or values.namespace in others,
        "monitor_namespaces": values.monitor_namespaces
        and (
            not values.monitors or {values.namespace, agent_namespace(values.namespace)} & {*values.monitor_namespaces}
        ),
        "image_registry_username": values.image_registry_username and len(images.hosts(values.image_registry)) != 1,
        **{
            name: getattr(values, name) and not (values.remote_write_url or values.managed_prometheus)
            for name in ("remote_write_keep", "remote_write_drop")
        },
        **(of_pages := pages.conflicts(values, values.cloud)),
        "ingress_pages": of_pages.get("ingress_pages")
        or (values.ingress != "none" and values.ingress_pages == ("grafana",) and not values.grafana),
        # Only EKS gives pods an identity that may sign.
        "remote_write_url": ".amazonaws.com" in values.remote_write_url and values.cloud != "eks",
        "xray": values.xray and values.cloud != "eks",
        "dashboard_base_url": values.grafana and urlsplit(values.dashboard_base_url).path.strip("/"),
        "loki_bucket": s3 != bool(values.loki_bucket),
        "loki_s3_endpoint": values.loki_s3_endpoint and not s3,
        "loki_replicas": values.loki_replicas > 1 and not s3,
        "aws_region": not values.aws_region and region_is_used,
        "collector_agent_memory": not _agents_hold_traces(values),
        "jaeger_replicas": values.jaeger_replicas > 1 and values.jaeger_storage_backend != "opensearch",
        "opensearch_url": values.opensearch != bool(values.opensearch_url or values.opensearch_domain),
        # Nobody else manages a domain that the program creates, and without policies it fills up.
        "opensearch_policies": values.opensearch_domain and not values.opensearch_policies,
        # The user of such a domain may do everything in it.
        "opensearch_users": values.opensearch_domain and not values.opensearch_users,
        "opensearch_username": values.opensearch != bool(values.opensearch_username),
    }


def _agents_hold_traces(values: Values) -> bool:
    try:
        gateway_queue_bytes(quantity_bytes(values.collector_agent_memory), values.collector_replicas)
    except ValueError:
        return False
    return True
