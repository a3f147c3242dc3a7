"""As many onboarded services as the stack says: a namespace, and one disruption budget for each service."""

import pulumi
import pulumi_kubernetes as k8s

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes.disruption_budgets import DisruptionBudgets
from components.kubernetes.namespace import Namespace

config = pulumi.Config()
cluster = k8s.Provider("cluster", kubeconfig=config.require("kubeconfig"), cluster_identifier="bench")
there = pulumi.ResourceOptions(provider=cluster)
name = config.require("namespace")
namespace = Namespace("bench", {"name": name}, there)
budgets = {
    f"service-{number}": DisruptionBudget.model_validate(
        {"namespace": name, "system": "bench", "app": f"service-{number}", "minAvailable": 1}
    )
    for number in range(config.require_int("services"))
}
DisruptionBudgets("workers", {"budgets": budgets, "namespaces": {name: namespace.namespace}}, there)
