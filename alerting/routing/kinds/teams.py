"""A channel of Microsoft Teams, notified through a webhook of its Workflows app."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from alerting.base import Document
from alerting.routing.kinds.base import (
    GRAFANA_TEXT,
    GRAFANA_TITLE,
    ChannelKind,
    ConfigKey,
    ContactPoint,
    Form,
    template,
)


class Teams(ChannelKind):
    """A channel of Microsoft Teams, notified through a webhook of its Workflows app, which posts into this one only."""

    channel: Annotated[str, Field(min_length=1)]
    """The channel for which the webhook was created, for readers."""
    url_secret: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.url_secret: "url"}

    def place(self) -> tuple[str, str]:
        return self.url_secret, self.channel

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:  # noqa: ARG002
        teams: Document = {
            "webhook_url": secrets[self.url_secret],
            "send_resolved": self.send_resolved,
            "title": template("title"),
            "text": template("teams.text"),
        }
        return {"msteamsv2_configs": [teams]}

    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:  # noqa: ARG002
        settings: Document = {
            "url": secrets[self.url_secret],
            "title": GRAFANA_TITLE,
            "message": GRAFANA_TEXT,
            "disable_resolve_message": not self.send_resolved,
        }
        return ContactPoint("teams", settings, secret=("url",))
