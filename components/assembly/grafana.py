"""Creates a stack's Grafana from the settings: server, data sources, dashboards and channels."""

from collections.abc import Mapping, Sequence

import pulumi

from components.eks.workspace import workspace_proxy
from components.grafana import content as grafana_content
from components.grafana import server_config
from components.grafana.contact_points import ContactPoints
from components.grafana.dashboards import Dashboards
from components.grafana.data_sources import DataSources
from components.grafana.secrets import OAuthClient
from components.grafana.server import Grafana
from components.logs import loki, loki_config
from components.metrics import alertmanager, prometheus
from components.traces import jaeger
from settings import channel_secrets
from settings.stack import Settings


def server(settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> Grafana | None:
    """The Grafana server; None if the stack does not run one."""
    values = settings.values
    if not values.grafana:
        return None
    return Grafana(
        "grafana",
        {
            "namespace": namespace,
            "storage": values.grafana_storage,
            "storage_class": settings.storage_class,
            "memory": values.grafana_memory,
            "external_url": values.dashboard_base_url,
            "protect": values.protect,
            "prometheus": prometheus.APP,
            "backends": {
                prometheus.APP: prometheus.PORT,
                alertmanager.APP: alertmanager.PORT,
                loki.APP: loki_config.PORT,
                jaeger.APP: jaeger.PORT,
                **({workspace_proxy.APP: workspace_proxy.QUERY_PORT} if values.writes_to_aws else {}),
            },
            "smtp": _smtp(settings),
            "smtp_password": settings.mail.password if settings.mail else "",
            "smtp_port": channel_secrets.smtp_port(values.smtp_smarthost),
            "oauth": _oauth(settings),
        },
        opts,
    )


def content(
    settings: Settings,
    grafana_server: Grafana | None,
    urls: Mapping[str, pulumi.Output[str]],
    long_term_url: pulumi.Output[str] | None = None,
    ingress: Sequence[pulumi.Resource] = (),
) -> None:
    """Creates data sources, folders, dashboards, contact points and the notification policy in Grafana.

    `urls` maps Prometheus, Alertmanager, Loki and Jaeger to their addresses inside the cluster. `long_term_url` is that
    of the workspace's proxy, if there is one. `ingress` lists the resources that must exist before this machine can
    reach Grafana.
    """
    values = settings.values
    server = grafana_server.server if grafana_server else None
    auth = grafana_server.auth if grafana_server else settings.grafana_auth
    provider = grafana_content.grafana_provider("grafana-api", settings.grafana_api_url, auth, server, ingress)
    in_grafana = pulumi.ResourceOptions(provider=provider)
    DataSources(
        "data-sources",
        {
            "prometheus_url": urls[prometheus.APP],
            "alertmanager_url": urls[alertmanager.APP],
            "loki_url": urls[loki.APP],
            "jaeger_url": urls[jaeger.APP],
            "long_term_url": long_term_url,
            "scrape_interval": values.scrape_interval,
            "server": server,
        },
        in_grafana,
    )
    Dashboards(
        "dashboards",
        {"dashboards": settings.dashboards, "runbook_base_url": values.runbook_base_url, "server": server},
        in_grafana,
    )
    ContactPoints(
        "contact-points",
        {
            "routing": settings.routing,
            "timing": values.timing,
            "secrets": {key: secret.get_secret_value() for key, secret in settings.secrets.items()},
            "pagerduty_url": values.pagerduty_url,
            "mute_windows": values.mute_windows,
            "server": server,
        },
        in_grafana,
    )


def _oauth(settings: Settings) -> OAuthClient | None:
    values = settings.values
    if values.ingress == "none":
        return None
    return {
        "issuer": server_config.OAuth(
            authorization_endpoint=values.oidc_authorization_endpoint,
            token_endpoint=values.oidc_token_endpoint,
            user_info_endpoint=values.oidc_user_info_endpoint,
            admin_group=values.grafana_admin_group,
            editor_group=values.grafana_editor_group,
            viewer_group=values.grafana_viewer_group,
        ),
        "client_id": values.oidc_client_id,
        "client_secret": settings.credential("oidcClientSecret"),
    }


def _smtp(settings: Settings) -> server_config.Smtp | None:
    mail = settings.mail
    if mail is None:
        return None
    return server_config.Smtp(
        smarthost=mail.smarthost, sender=mail.sender, username=mail.username, require_tls=mail.require_tls
    )
