"""Disruption budgets, which prevent a node drain from evicting all pods of a workload at once."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgsDict

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes.labels import labels, selector


class DisruptionBudgetsArgs(TypedDict):
    """Arguments of DisruptionBudgets."""

    budgets: Mapping[str, DisruptionBudget]
    """Budgets by name."""
    namespaces: Mapping[str, pulumi.Input[str]]
    """Namespaces in this cluster, by name. Budgets of other namespaces are not created."""


class DisruptionBudgets(pulumi.ComponentResource):
    """A PodDisruptionBudget for each workload of the observed systems."""

    def __init__(self, name: str, args: DisruptionBudgetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:DisruptionBudgets", name, {}, opts)
        budgets = {key: budget for key, budget in args["budgets"].items() if budget.namespace in args["namespaces"]}
        for budget_name, budget in budgets.items():
            k8s.policy.v1.PodDisruptionBudget(
                f"{name}-{budget_name}",
                metadata={
                    "name": budget_name,
                    "namespace": args["namespaces"][budget.namespace],
                    "labels": labels(budget.app),
                },
                spec={
                    **_number(budget),
                    "selector": {"match_labels": selector(budget.app)},
                    # A pod that is not ready does not serve, so it may always be evicted.
                    "unhealthy_pod_eviction_policy": "AlwaysAllow",
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"names": list(budgets)})


def _number(budget: DisruptionBudget) -> PodDisruptionBudgetSpecArgsDict:
    if budget.max_unavailable is not None:
        return {"max_unavailable": budget.max_unavailable}
    # The loader refuses a budget with neither.
    return {"min_available": budget.min_available or 0}


def own_budget(name: str, app: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
    """The budget of a replicated app of the platform: one unavailable pod at a time."""
    k8s.policy.v1.PodDisruptionBudget(
        name,
        metadata={"name": app, "namespace": namespace, "labels": labels(app)},
        spec={
            "max_unavailable": 1,
            "selector": {"match_labels": selector(app)},
            "unhealthy_pod_eviction_policy": "AlwaysAllow",
        },
        opts=opts,
    )
