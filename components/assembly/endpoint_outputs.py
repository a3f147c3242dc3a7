"""The platform's own endpoints, as stack outputs: the links that people need first."""

from collections.abc import Mapping

import pulumi

from components.grafana import server
from components.kubernetes.endpoints import Endpoint, endpoint
from components.logs import loki, loki_config
from components.metrics import alertmanager, prometheus
from components.traces import jaeger
from settings.values import Values


def platform(
    values: Values, namespace: pulumi.Output[str], urls: Mapping[str, pulumi.Output[str]]
) -> dict[str, Endpoint]:
    """App -> endpoint, for each app in `urls` (app -> address inside the cluster)."""
    ports_and_addresses = {
        prometheus.APP: (prometheus.PORT, values.prometheus_url),
        alertmanager.APP: (alertmanager.PORT, values.alertmanager_url),
        loki.APP: (loki_config.PORT, values.loki_url),
        jaeger.APP: (jaeger.PORT, values.jaeger_url),
        server.APP: (server.PORT, values.dashboard_base_url),
    }
    return {
        app: endpoint(app, port, namespace, urls[app], external)
        for app, (port, external) in ports_and_addresses.items()
        if app in urls
    }
