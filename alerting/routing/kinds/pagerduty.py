"""A PagerDuty service with an integration of the type Events API v2."""

from collections.abc import Mapping

from alerting.base import Document
from alerting.routing.kinds.base import GRAFANA_TITLE, ChannelKind, ConfigKey, ContactPoint, Form, template


class PagerDuty(ChannelKind):
    """A PagerDuty service with an integration of the type Events API v2. Each team has its own, with its own key."""

    routing_key: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.routing_key: "token"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        pagerduty: Document = {
            "routing_key": secrets[self.routing_key],
            "send_resolved": self.send_resolved,
            "description": template("subject"),
            # PagerDuty accepts info, warning, critical and error, and rejects events with any other severity.
            "severity": '{{ or .CommonLabels.severity "error" }}',
            "source": "{{ .CommonLabels.cluster }}",
            "class": "{{ .CommonLabels.alertname }}",
            "component": "{{ or .CommonLabels.service .CommonLabels.app .CommonLabels.subject }}",
            "group": "{{ .CommonLabels.system }}",
            "client": "Alertmanager of {{ .CommonLabels.cluster }}",
            "client_url": template("alerts.url"),
            "details": {
                "receiver": name,
                "alertname": "{{ .CommonLabels.alertname }}",
                "team": "{{ .CommonLabels.team }}",
                "summary": template("summary"),
                "firing": '{{ template "details" .Alerts.Firing }}',
                "resolved": '{{ template "details" .Alerts.Resolved }}',
            },
            # Alertmanager leaves out links with an empty URL.
            "links": [
                {"href": template("runbook.url"), "text": "Runbook"},
                {"href": template("dashboard.url"), "text": "Dashboard"},
                {"href": template("query.url"), "text": "Query"},
                {"href": template("silence.url"), "text": "Silence"},
            ],
        }
        return {"pagerduty_configs": [pagerduty]}

    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:
        settings: Document = {
            "integration_key": secrets[self.routing_key],
            "url": pagerduty_url,
            "severity": "{{ if .CommonLabels.severity }}{{ .CommonLabels.severity }}{{ else }}error{{ end }}",
            "summary": GRAFANA_TITLE,
            "class_": "{{ .CommonLabels.alertname }}",
            "component": "{{ .CommonLabels.subject }}",
            "group": "{{ .CommonLabels.system }}",
            "details": {"receiver": name, "alertname": "{{ .CommonLabels.alertname }}"},
            "disable_resolve_message": not self.send_resolved,
        }
        return ContactPoint("pagerduties", settings, secret=("integration_key",))
