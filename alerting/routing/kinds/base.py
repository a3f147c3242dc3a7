"""What every kind of channel has in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from alerting.base import Document, Strict

ConfigKey = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$")]
"""Key of this project's configuration that holds a value of the channel, so that rules/ does not contain it."""
Form = Literal["url", "token", "address", "mention"]
"""Form of the value under a config key: a URL, a PagerDuty routing key, e-mail addresses, or whom Slack mentions."""


class ContactPoint(NamedTuple):
    """A channel as a contact point of Grafana."""

    integration: str
    """Argument of the provider's ContactPoint, such as `slacks`."""
    settings: Document
    secret: tuple[str, ...] = ()
    """Settings that the state must hold encrypted."""


class ChannelKind(Strict, ABC):
    """Base of all kinds of channels."""

    by_mail: ClassVar[bool] = False
    """Whether the stack's SMTP server delivers to this kind."""

    send_resolved: bool = True

    @abstractmethod
    def keys(self) -> dict[str, Form]:
        """Config keys that this channel needs -> form of the value."""

    @abstractmethod
    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:
        """The integration in the Alertmanager receiver of the channel `name`; `secrets`: value of each config key."""

    @abstractmethod
    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:
        """The channel `name` in Grafana; `pagerduty_url` is the stack's."""

    def place(self) -> tuple[str, str] | None:
        """The config key of a URL that leads to one place only, and the place's name.

        None if the message itself names its place. Two places cannot share such a URL.
        """
        return None

    def named_alerts(self) -> tuple[str, ...]:
        """Alerts that the channel treats in a way of its own; they must exist."""
        return ()

    def secrets(self) -> tuple[str, ...]:
        """Config keys that this channel needs."""
        return tuple(self.keys())


def template(name: str) -> str:
    """A reference to a template of rules/notifications.tmpl."""
    return f'{{{{ template "{name}" . }}}}'


# Titles have the form of Alertmanager's notifications, so that people and the local receiver read a single form.
GRAFANA_TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] '
    "{{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }})"
)
GRAFANA_TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n{{ .GeneratorURL }}\n{{ end }}"
)
