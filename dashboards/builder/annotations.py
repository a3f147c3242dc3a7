"""Vertical lines on all graphs of a dashboard: what else happened at that time."""

from typing import Any

from dashboards.builder.sources import PROMETHEUS


def firing(matchers: str) -> dict[str, Any]:
    """Times in which alerts fired; `matchers` selects them, without braces."""
    return _query("Firing alerts", f'ALERTS{{{matchers}, alertstate="firing"}}', "{{alertname}} fires", "red")


def releases(namespace: str) -> dict[str, Any]:
    """Changes of Deployments: a new release, configuration or number of replicas; `namespace` is a matcher.

    The window is two steps of Grafana's for annotations, so that no change falls between two of them.
    """
    changes = f"changes(kube_deployment_status_observed_generation{{{namespace}}}[2m])"
    expression = f"sum by (namespace, deployment) ({changes}) > 0"
    return _query("Changed deployments", expression, "{{deployment}} changed", "blue")


def restarts(namespace: str) -> dict[str, Any]:
    """Restarts of containers, by the same window; `namespace` is a matcher."""
    changes = f"changes(kube_pod_container_status_restarts_total{{{namespace}}}[2m])"
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
        "step": "60s",
        "titleFormat": title,
        "textFormat": "namespace {{namespace}}",
        "useValueForTime": False,
    }
