"""One or more mailboxes, notified through the stack's SMTP server."""

from collections.abc import Mapping
from typing import ClassVar

from alerting.base import Document
from alerting.routing.kinds.base import GRAFANA_TITLE, ChannelKind, ConfigKey, ContactPoint, Form, template

RECEIVER_HEADER = "X-Alertmanager-Receiver"
"""Header of every e-mail with the name of its channel, for readers and the filters of a mailbox."""
_TEXT = (
    "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n"
    "Runbook: {{ .Annotations.runbook_url }}\nQuery: {{ .GeneratorURL }}\nSilence: {{ .SilenceURL }}\n\n{{ end }}"
)


class Email(ChannelKind):
    """One or more mailboxes, notified through the stack's SMTP server."""

    by_mail: ClassVar[bool] = True

    to: ConfigKey
    """Config key of the addresses, separated by commas."""

    def keys(self) -> dict[str, Form]:
        return {self.to: "address"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        email: Document = {
            "to": secrets[self.to],
            "send_resolved": self.send_resolved,
            "headers": {"Subject": template("subject"), RECEIVER_HEADER: name},
            "text": template("mail.text"),
            "html": template("mail.html"),
        }
        return {"email_configs": [email]}

    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:  # noqa: ARG002
        settings: Document = {
            "addresses": [mailbox.strip() for mailbox in secrets[self.to].split(",")],
            "single_email": True,
            "subject": GRAFANA_TITLE,
            "message": _TEXT,
            "disable_resolve_message": not self.send_resolved,
        }
        return ContactPoint("emails", settings)
