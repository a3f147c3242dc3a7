"""The platform of one stack: settings, cluster, then one part after the other. What each does stands in it."""

import pulumi
import pulumi_kubernetes as k8s

from components import alert_outputs, cluster_check, endpoint_outputs, monitoring, settings, telemetry, visualization
from components.backing import without_cloud
from components.disruption_budgets import DisruptionBudgets
from components.eks import outputs as eks_outputs
from components.eks import platform as eks
from components.eks.login import redirects
from components.namespace import Namespace
from components.simulation import simulation

stack = settings.load()
values = stack.values
if stack.has_cluster:
    cluster_check.require_cluster(
        stack.kubeconfig, stack.kube_context, values.existing_ingress_class, stack.made_namespaces
    )
base = eks.foundation(stack)

cluster = k8s.Provider(
    "cluster",
    kubeconfig=base.kubeconfig if base else stack.kubeconfig,
    context=stack.kube_context,
    # A name of our own, so that a change of the kubeconfig never looks like another cluster and replaces everything.
    cluster_identifier=values.cluster_name,
    # Otherwise a changed rule would replace its ConfigMap, and with it the StatefulSets that mount it.
    enable_config_map_mutable=True,
    enable_secret_mutable=True,
)
there = pulumi.ResourceOptions(provider=cluster)

# All volumes of the platform go with this namespace.
kept = pulumi.ResourceOptions.merge(there, pulumi.ResourceOptions(protect=values.protect))
ground = eks.ground(stack, base, there) if base else []
here = Namespace("platform", {"name": values.namespace, "after": ground}, kept).namespace
agents = Namespace("agents", {"name": stack.agent_namespace, "security": "privileged"}, there).namespace
roles = eks.pod_identities(stack, base, here, there) if base else {}
backing = eks.backing(base, roles) if base else without_cloud(values)

alerts = monitoring.alertmanager(stack, here, there)
metrics = monitoring.prometheus(stack, here, alerts.targets, backing, there)
monitoring.cluster_state(stack, here, there)
monitoring.node_state(stack, agents, there)
logs = telemetry.log_store(stack, here, alerts.targets, backing, there)
traces = telemetry.trace_store(stack, here, metrics.url, backing, there)
collector = telemetry.collectors(stack, telemetry.Namespaces(here, agents), logs, traces, backing, there)
dashboards = visualization.server(stack, here, there)
urls = {"prometheus": metrics.url, "alertmanager": alerts.url, "loki": logs.url, "jaeger": traces.url}
way_in = eks.entrance(stack, base, here, there) if base else []
visualization.content(stack, dashboards, urls, way_in)

endpoints = endpoint_outputs.platform(values, here, urls | ({"grafana": dashboards.url} if dashboards else {}))
service_namespaces: dict[str, pulumi.Input[str]] = {name: name for name in values.service_namespaces}
if values.simulator:
    simulated = simulation(stack, collector.otlp_url, there)
    endpoints |= simulated.endpoints
    service_namespaces |= simulated.namespaces

DisruptionBudgets("workers", {"budgets": stack.disruption_budgets, "namespaces": service_namespaces}, there)

pulumi.export("endpoints", endpoints)
pulumi.export("alerts", alert_outputs.alerts(stack))
pulumi.export("timing", alert_outputs.timing(stack))
if base:
    pulumi.export("aws", eks_outputs.outputs(stack, base, roles))
    pulumi.export("redirects", redirects(values.hosts))
    pulumi.export("kubeconfig", pulumi.Output.secret(base.kubeconfig))
