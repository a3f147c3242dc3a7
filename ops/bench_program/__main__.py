"""Creates a namespace with one disruption budget for each of the `services` that the stack configures."""

import pulumi
import pulumi_kubernetes as k8s

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes.disruption_budgets import DisruptionBudgets
from components.kubernetes.namespace import Namespace

config = pulumi.Config()
cluster = k8s.Provider("cluster", kubeconfig=config.require("kubeconfig"), cluster_identifier="bench")
in_cluster = pulumi.ResourceOptions(provider=cluster)
name = config.require("namespace")
namespace = Namespace("bench", {"name": name}, in_cluster)
budgets = {
    f"service-{number}": DisruptionBudget.model_validate(
        {"namespace": name, "system": "bench", "app": f"service-{number}", "minAvailable": 1}
    )
    for number in range(config.require_int("services"))
}
DisruptionBudgets("workers", {"budgets": budgets, "namespaces": {name: namespace.namespace}}, in_cluster)
