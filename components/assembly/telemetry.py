"""Creates a stack's components for logs and traces from the settings: Loki, Jaeger and the collectors."""

from typing import NamedTuple

import pulumi

from alerting import contract, loader
from components.assembly import opensearch
from components.assembly.backends import Backends
from components.collector import agent, events
from components.collector import gateway as collector_gateway
from components.collector.agent import CollectorAgent
from components.collector.events import CollectorEvents
from components.collector.gateway import CollectorGateway
from components.grafana import server
from components.logs import loki, loki_config
from components.logs.log_index import LogIndex, LogIndexTarget
from components.logs.loki import Loki, LokiArgs
from components.metrics import prometheus
from components.metrics.prometheus import Prometheus
from components.traces import jaeger
from components.traces.jaeger import Jaeger, JaegerArgs
from settings.stack import Settings


class Namespaces(NamedTuple):
    """Namespaces of the gateways (platform) and of the agents."""

    platform: pulumi.Output[str]
    agents: pulumi.Output[str]


def log_store(
    settings: Settings,
    namespace: pulumi.Output[str],
    alertmanagers: pulumi.Output[list[str]],
    backends: Backends,
    opts: pulumi.ResourceOptions,
) -> Loki:
    """Loki with the stack's rules. It sends alerts to `alertmanagers`."""
    values = settings.values
    args: LokiArgs = {
        "namespace": namespace,
        "replicas": values.loki_replicas,
        "retention": values.loki_retention,
        "storage": values.loki_storage,
        "storage_class": settings.storage_class,
        "memory": values.loki_memory,
        "s3": None,
        "identity": backends.identities.get(loki.APP),
        "evaluation_interval": values.evaluation_interval,
        "cluster": values.cluster_name,
        "grafana_url": values.dashboard_base_url,
        "rule_files": loader.render_loki(settings.rule_set, settings.overrides, values.links),
        "alertmanagers": alertmanagers,
        "clients": [collector_gateway.APP, server.APP, prometheus.APP],
    }
    if values.loki_storage_backend == "s3":
        args["s3"] = loki_config.S3(
            bucket=values.loki_bucket, region=values.aws_region, endpoint=values.loki_s3_endpoint
        )
    if "lokiS3AccessKeyId" in settings.credentials:
        args["s3_credentials"] = {
            "access_key_id": settings.credential("lokiS3AccessKeyId"),
            "secret_access_key": settings.credential("lokiS3SecretAccessKey"),
        }
    return Loki("loki", args, opts)


def trace_store(
    settings: Settings,
    namespace: pulumi.Output[str],
    prometheus_url: pulumi.Output[str],
    backends: Backends,
    opts: pulumi.ResourceOptions,
) -> Jaeger:
    """Jaeger, which reads span metrics from the Prometheus at `prometheus_url`."""
    values = settings.values
    args: JaegerArgs = {
        "namespace": namespace,
        "storage_backend": values.jaeger_storage_backend,
        "retention": values.jaeger_retention,
        "memory": values.jaeger_memory,
        "storage": values.jaeger_storage,
        "storage_class": settings.storage_class,
        "replicas": values.jaeger_replicas,
        "prometheus": prometheus.APP,
        "prometheus_url": prometheus_url,
        "prometheus_port": prometheus.PORT,
        "gateway": collector_gateway.APP,
    }
    if values.jaeger_storage_backend == "opensearch":
        user = opensearch.traces_user(settings, namespace, backends, opts)
        login = user.login if user else opensearch.login(settings, namespace, backends)
        args["opensearch"] = {
            "urls": pulumi.Output.all(backends.opensearch_url),
            "username": login["username"],
            "password": login["password"],
        }
        if user:
            args["opensearch"]["ready"] = user.ready
    return Jaeger("jaeger", args, opts)


def _log_index(
    settings: Settings, namespace: pulumi.Output[str], backends: Backends, opts: pulumi.ResourceOptions
) -> LogIndexTarget | None:
    """The log index to which gateways send the lines of requests; None if logIndex is false."""
    if not settings.values.log_index:
        return None
    login = opensearch.login(settings, namespace, backends)
    user = opensearch.lines_user(settings, namespace, backends, opts)
    return LogIndex("log-index", {"login": login, "user": user}, opts).target


class Stores(NamedTuple):
    """Where the gateways send to."""

    logs: Loki
    traces: Jaeger
    metrics: Prometheus


def collectors(
    settings: Settings,
    namespaces: Namespaces,
    stores: Stores,
    backends: Backends,
    opts: pulumi.ResourceOptions,
) -> CollectorAgent:
    """The gateways, which send to these stores; the agents and the collector of events, which send to the gateways."""
    values = settings.values
    gateway = CollectorGateway(
        "gateway",
        {
            "namespace": namespaces.platform,
            "agent_namespace": settings.agent_namespace,
            "agent": agent.APP,
            "events": events.APP,
            "replicas": values.collector_replicas,
            "memory": values.collector_memory,
            "storage": values.collector_storage,
            "storage_class": settings.storage_class,
            "sampling_percentage": values.trace_sampling_percentage,
            "slow_trace": values.trace_slower_than,
            "decision_wait": values.trace_decision_wait,
            "scrape_interval": values.scrape_interval,
            "loki": pulumi.Output.concat(stores.logs.url, "/otlp"),
            "oldest_line_hours": loki_config.oldest_line_hours(values.loki_retention),
            "services": contract.services(settings.contracts, settings.rule_set.systems),
            "loki_app": loki.APP,
            "loki_port": loki_config.PORT,
            "jaeger": stores.traces.otlp,
            "jaeger_app": jaeger.APP,
            "jaeger_port": jaeger.OTLP_PORT,
            "prometheus": prometheus.APP,
            "prometheus_targets": stores.metrics.targets,
            "prometheus_port": prometheus.PORT,
            "xray_region": values.aws_region if values.xray else None,
            "log_index": _log_index(settings, namespaces.platform, backends, opts),
            "identity": backends.identities.get(collector_gateway.APP),
        },
        opts,
    )
    CollectorEvents(
        "events",
        {
            "namespace": namespaces.platform,
            "gateway": collector_gateway.APP,
            "gateway_port": collector_gateway.LISTEN.grpc,
            "log_target": gateway.log_target,
            "prometheus": prometheus.APP,
        },
        opts,
    )
    return CollectorAgent(
        "agent",
        {
            "namespace": namespaces.agents,
            "platform_namespace": values.namespace,
            "gateway": collector_gateway.APP,
            "gateway_port": collector_gateway.LISTEN.grpc,
            "trace_targets": gateway.trace_targets,
            "log_target": gateway.log_target,
            "prometheus": prometheus.APP,
            "pod_cidrs": settings.pod_cidrs,
            "memory": values.collector_agent_memory,
        },
        opts,
    )
