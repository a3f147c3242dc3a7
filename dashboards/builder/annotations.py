"""Vertical lines on all graphs of a dashboard: what else happened at that time."""

from typing import Any

from dashboards.builder.sources import PROMETHEUS


def firing(matchers: str) -> dict[str, Any]:
    """Times at which alerts began to fire; `matchers` selects them, without braces.

    Grafana joins the steps in which a query has a result to a coloured area. An area for each alert that fires would
    hide the graphs during an incident, so only the first step has one.
    """
    alerts = f'ALERTS{{{matchers}, alertstate="firing"}}[$__interval]'
    expression = f"last_over_time({alerts}) unless last_over_time({alerts} offset $__interval)"
    return _query("Firing alerts", expression, "{{alertname}} fires", "red")


def releases(namespace: str) -> dict[str, Any]:
    """Changes of Deployments: a new release, configuration or number of replicas; `namespace` is a matcher."""
    changes = f"changes(kube_deployment_status_observed_generation{{{namespace}}}[$__rate_interval])"
    expression = f"sum by (namespace, deployment) ({changes}) > 0"
    return _query("Changed deployments", expression, "{{deployment}} changed", "blue")


def restarts(namespace: str) -> dict[str, Any]:
    """Restarts of containers; `namespace` is a matcher."""
    changes = f"changes(kube_pod_container_status_restarts_total{{{namespace}}}[$__rate_interval])"
    expression = f"sum by (namespace, pod) ({changes}) > 0"
    return _query("Restarted containers", expression, "{{pod}} restarted", "orange")


def _query(name: str, expression: str, title: str, colour: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": {"type": PROMETHEUS.kind, "uid": PROMETHEUS.ref.uid},
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expression,
        # The least; for long time ranges Grafana takes larger ones, and $__interval is the one that it takes.
        "step": "60s",
        "titleFormat": title,
        "textFormat": "namespace {{namespace}}",
        "useValueForTime": False,
    }
