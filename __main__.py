"""Assembles one stack: reads the settings, connects to the cluster, then creates each part in order.

Each component documents itself.
"""

import pulumi

from components import configuration
from components.assembly import alert_outputs, cluster, endpoint_outputs, grafana, metrics, opensearch, pages, telemetry
from components.assembly.backends import without_cloud
from components.assembly.simulation import simulation
from components.eks import outputs as eks_outputs
from components.eks import platform as eks
from components.eks.login import redirects
from components.kubernetes.disruption_budgets import DisruptionBudgets
from components.kubernetes.namespace import Namespace, SharedArgs

settings = configuration.load()
values = settings.values
cluster.require(settings)
aws = eks.foundation(settings)
in_cluster = cluster.options(settings, aws.kubeconfig if aws else settings.kubeconfig)
# Deleting the platform's namespace would delete all its volume claims.
protected = pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(protect=values.protect))
prerequisites = eks.prerequisites(settings, aws, in_cluster) if aws else []
dns = aws.dns_servers if aws else []
common: SharedArgs = {"dns_servers": dns, "image_login": settings.image_login, "ca_bundle": values.ca_bundle}
namespace = Namespace(
    "platform",
    {"name": values.namespace, "after": prerequisites, **common},
    protected,
).namespace
agents = Namespace(
    "agents",
    {"name": settings.agent_namespace, "security": "privileged", **common},
    in_cluster,
).namespace
identities = eks.pod_identities(settings, aws, namespace, in_cluster) if aws else {}
backends = eks.backends(aws, identities) if aws else without_cloud(values)

alertmanager = metrics.alertmanager(settings, namespace, in_cluster)
long_term = metrics.workspace_proxy(namespace, backends, in_cluster)
copies = long_term.write_url if long_term else backends.remote_write_url
prometheus = metrics.prometheus(settings, namespace, alertmanager.targets, copies, in_cluster)
metrics.cluster_state(settings, namespace, in_cluster)
metrics.node_state(settings, agents, in_cluster)
loki = telemetry.log_store(settings, namespace, alertmanager.targets, backends, in_cluster)
jaeger = telemetry.trace_store(settings, namespace, prometheus.url, backends, in_cluster)
opensearch.index_retention(settings, namespace, backends, in_cluster)
stores = telemetry.Stores(logs=loki, traces=jaeger, metrics=prometheus)
collectors = telemetry.collectors(settings, telemetry.Namespaces(namespace, agents), stores, backends, in_cluster)
server = grafana.server(settings, namespace, in_cluster)
urls = {"prometheus": prometheus.url, "alertmanager": alertmanager.url, "loki": loki.url, "jaeger": jaeger.url}
outside = eks.ingress(settings, aws, namespace, in_cluster) if aws else pages.ingress(settings, namespace, in_cluster)
grafana.content(settings, server, urls, long_term.query_url if long_term else None, outside)

endpoints = endpoint_outputs.platform(values, namespace, urls | ({"grafana": server.url} if server else {}))
service_namespaces: dict[str, pulumi.Input[str]] = {name: name for name in values.service_namespaces}
if values.simulator:
    simulated = simulation(settings, collectors.otlp_url, dns, in_cluster)
    endpoints |= simulated.endpoints
    service_namespaces |= simulated.namespaces

DisruptionBudgets("workers", {"budgets": settings.disruption_budgets, "namespaces": service_namespaces}, in_cluster)

pulumi.export("endpoints", endpoints)
pulumi.export("alerts", alert_outputs.alerts(settings))
pulumi.export("timing", alert_outputs.timing(settings))
if aws:
    pulumi.export("aws", eks_outputs.outputs(settings, aws, identities))
    pulumi.export("redirects", redirects(values.hosts))
    pulumi.export("kubeconfig", pulumi.Output.secret(aws.kubeconfig))
