"""The platform of one stack: settings, cluster, then one component after the other. What each does stands in it."""

import pulumi
import pulumi_kubernetes as k8s

from components import alert_outputs, alertmanager, cluster_check, monitoring, prometheus, receiver, settings, simulator
from components.disruption_budgets import DisruptionBudgets
from components.endpoints import endpoint
from components.namespace import Namespace
from components.network_policies import app_in
from rules import disruption_budgets

stack = settings.load()
values = stack.values
cluster_check.require_cluster(stack.kubeconfig, stack.kube_context)

cluster = k8s.Provider(
    "cluster",
    kubeconfig=stack.kubeconfig,
    context=stack.kube_context,
    # A name of our own, so that a change of the kubeconfig never looks like another cluster and replaces everything.
    cluster_identifier=values.cluster_name,
    # Otherwise a changed rule would replace its ConfigMap, and with it the StatefulSets that mount it.
    enable_config_map_mutable=True,
    enable_secret_mutable=True,
)
there = pulumi.ResourceOptions(provider=cluster)

platform = Namespace("platform", {"name": values.namespace}, there)
alerts = monitoring.alertmanager(stack, platform.namespace, there)
metrics = monitoring.prometheus(stack, platform.namespace, alerts.targets, there)
endpoints = {
    "prometheus": endpoint(prometheus.APP, prometheus.PORT, platform.namespace, metrics.url, values.prometheus_url),
    "alertmanager": endpoint(
        alertmanager.APP, alertmanager.PORT, platform.namespace, alerts.url, values.alertmanager_url
    ),
}
service_namespaces: dict[str, pulumi.Input[str]] = {name: name for name in values.service_namespaces}

if values.simulator:
    scraper = app_in(values.namespace, prometheus.APP)
    job_queue = Namespace("job-queue", {"name": "job-queue"}, there)
    workload = simulator.Simulator(
        "simulator", {"namespace": job_queue.namespace, "image": stack.simulator_image, "scraper": scraper}, there
    )
    receiving = Namespace("receiver", {"name": "receiver"}, there)
    notifications = receiver.Receiver(
        "notifications",
        {
            "namespace": receiving.namespace,
            "image": stack.simulator_image,
            "senders": [scraper, app_in(values.namespace, alertmanager.APP)],
        },
        there,
    )
    endpoints["simulator"] = endpoint(simulator.SERVER, simulator.PORT, job_queue.namespace, workload.url)
    endpoints["receiver"] = endpoint(receiver.APP, receiver.PORT, receiving.namespace, notifications.url)
    service_namespaces["job-queue"] = job_queue.namespace

DisruptionBudgets("workers", {"budgets": disruption_budgets.load(), "namespaces": service_namespaces}, there)

pulumi.export("endpoints", endpoints)
pulumi.export("alerts", alert_outputs.alerts(stack))
pulumi.export("timing", alert_outputs.timing(stack))
