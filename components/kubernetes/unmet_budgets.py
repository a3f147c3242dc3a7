"""Finds disruption budgets that no drain can meet: their workloads have no more pods than must keep running."""

from collections.abc import Iterator, Mapping

from kubernetes import client

from alerting.disruption_budgets import DisruptionBudget
from components.kubernetes.labels import selector


def doubt(
    api: client.ApiClient, timeout: float, *, budgets: Mapping[str, DisruptionBudget], namespaces: tuple[str, ...]
) -> str | None:
    """One line about budgets in these namespaces that block every drain; None if there are none.

    It counts the pods that Deployments and StatefulSets want now. Raises ApiException and what urllib3 raises.
    """
    asked = {name: one for name, one in budgets.items() if one.namespace in namespaces and one.min_available}
    wanted = {name: list(_pods(api, timeout, name)) for name in sorted({one.namespace for one in asked.values()})}
    found: list[str] = []
    for name, one in asked.items():
        chosen = selector(one.app).items()
        replicas = sum(count for labels, count in wanted[one.namespace] if chosen <= labels.items())
        # A workload without pods is not there yet, or is switched off.
        if one.min_available and 0 < replicas <= one.min_available:
            found.append(
                f"{name} (observability:disruptionBudgets.{name}.minAvailable is {one.min_available}, app {one.app} in "
                f"namespace {one.namespace} has {replicas} pod{'s' if replicas > 1 else ''})"
            )
    if not found:
        return None
    names = ", ".join(found)
    return f"a node drain waits for ever for disruption budgets: {names}; more pods, or maxUnavailable, end it"


def _pods(api: client.ApiClient, timeout: float, namespace: str) -> Iterator[tuple[dict[str, str], int]]:
    """Labels and number of the pods of each workload."""
    apps = client.AppsV1Api(api)
    for items in (
        apps.list_namespaced_deployment(namespace, _request_timeout=timeout).items,
        apps.list_namespaced_stateful_set(namespace, _request_timeout=timeout).items,
    ):
        for item in items:
            metadata = item.spec.template.metadata if item.spec else None
            if item.spec and metadata:
                yield metadata.labels or {}, 1 if item.spec.replicas is None else item.spec.replicas
