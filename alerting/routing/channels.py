"""Channels that notify people and programs: one typed definition each, rendered to an Alertmanager receiver.

A new kind of channel needs a class with `keys` and `receiver`, a field of Channel, and a contact point in
components/grafana/contact_points.py. rules/notifications.tmpl contains the texts of the messages.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from alerting.base import Document, Strict

ConfigKey = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$")]
"""Key of this project's configuration that holds a secret value, so that rules/ does not contain it."""
Form = Literal["url", "token", "address"]
"""Form of the value under a config key: a URL, a PagerDuty routing key, or e-mail addresses."""
RECEIVER_HEADER = "X-Alertmanager-Receiver"
"""Header of every e-mail with the name of its channel, for readers and the filters of a mailbox."""


class ChannelKind(Strict, ABC):
    """Base of all kinds of channels."""

    send_resolved: bool = True

    @abstractmethod
    def keys(self) -> dict[str, Form]:
        """Config keys that this channel needs -> form of the value."""

    @abstractmethod
    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        """The integration in the Alertmanager receiver of the channel `name`; `secrets`: value of each config key."""

    def secrets(self) -> tuple[str, ...]:
        """Config keys that this channel needs."""
        return tuple(self.keys())


class Slack(ChannelKind):
    """A Slack channel, notified through an incoming webhook."""

    channel: Annotated[str, Field(pattern=r"^#[a-z0-9_-]+$")]
    url_secret: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.url_secret: "url"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:  # noqa: ARG002
        slack: Document = {
            "api_url": secrets[self.url_secret],
            "channel": self.channel,
            "send_resolved": self.send_resolved,
            "color": _template("slack.color"),
            "title": _template("title"),
            "title_link": "{{ .CommonAnnotations.runbook_url }}",
            "text": _template("slack.text"),
            "fallback": _template("title"),
        }
        return {"slack_configs": [slack]}


class Webhook(ChannelKind):
    """A program that accepts Alertmanager's webhook JSON."""

    url_secret: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.url_secret: "url"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:  # noqa: ARG002
        return {"webhook_configs": [{"url": secrets[self.url_secret], "send_resolved": self.send_resolved}]}


class Email(ChannelKind):
    """One or more mailboxes, notified through the stack's SMTP server."""

    to: ConfigKey
    """Config key of the addresses, separated by commas."""

    def keys(self) -> dict[str, Form]:
        return {self.to: "address"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        email: Document = {
            "to": secrets[self.to],
            "send_resolved": self.send_resolved,
            "headers": {"Subject": _template("subject"), RECEIVER_HEADER: name},
            "text": _template("mail.text"),
            "html": _template("mail.html"),
        }
        return {"email_configs": [email]}


class PagerDuty(ChannelKind):
    """A PagerDuty service with an integration of the type Events API v2."""

    routing_key: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.routing_key: "token"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        pagerduty: Document = {
            "routing_key": secrets[self.routing_key],
            "send_resolved": self.send_resolved,
            "description": _template("subject"),
            # PagerDuty accepts info, warning, critical and error, and rejects events with any other severity.
            "severity": '{{ or .CommonLabels.severity "error" }}',
            "source": "{{ .CommonLabels.cluster }}",
            "class": "{{ .CommonLabels.alertname }}",
            "component": "{{ or .CommonLabels.service .CommonLabels.app .CommonLabels.subject }}",
            "group": "{{ .CommonLabels.system }}",
            "client": "Alertmanager of {{ .CommonLabels.cluster }}",
            "client_url": _template("alerts.url"),
            "details": {
                "receiver": name,
                "alertname": "{{ .CommonLabels.alertname }}",
                "summary": "{{ .CommonAnnotations.summary }}",
                "firing": '{{ template "pagerduty.alerts" .Alerts.Firing }}',
                "resolved": '{{ template "pagerduty.alerts" .Alerts.Resolved }}',
            },
            # Alertmanager leaves out links with an empty URL.
            "links": [
                {"href": "{{ .CommonAnnotations.runbook_url }}", "text": "Runbook"},
                {"href": "{{ .CommonAnnotations.dashboard_url }}", "text": "Dashboard"},
                {"href": "{{ (index .Alerts 0).GeneratorURL }}", "text": "Query"},
                {"href": _template("silence.url"), "text": "Silence"},
            ],
        }
        return {"pagerduty_configs": [pagerduty]}


class Channel(Strict):
    """A destination of notifications. Exactly one kind is set."""

    slack: Slack | None = None
    webhook: Webhook | None = None
    email: Email | None = None
    pagerduty: PagerDuty | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Channel":
        if len(self._kinds()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(type(self).model_fields)}")
        return self

    def _kinds(self) -> list[Slack | Webhook | Email | PagerDuty]:
        return [kind for kind in (self.slack, self.webhook, self.email, self.pagerduty) if kind is not None]

    @property
    def kind(self) -> Slack | Webhook | Email | PagerDuty:
        """The kind that is set."""
        return self._kinds()[0]


def _template(name: str) -> str:
    return f'{{{{ template "{name}" . }}}}'
