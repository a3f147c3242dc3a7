"""A program that accepts Alertmanager's webhook JSON."""

from collections.abc import Mapping

from alerting.base import Document
from alerting.routing.kinds.base import ChannelKind, ConfigKey, ContactPoint, Form


class Webhook(ChannelKind):
    """A program that accepts Alertmanager's webhook JSON."""

    url_secret: ConfigKey

    def keys(self) -> dict[str, Form]:
        return {self.url_secret: "url"}

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:  # noqa: ARG002
        return {"webhook_configs": [{"url": secrets[self.url_secret], "send_resolved": self.send_resolved}]}

    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:  # noqa: ARG002
        settings: Document = {
            # The provider does not mark this address as secret. Marked here, it is encrypted in the state.
            "url": secrets[self.url_secret],
            "http_method": "POST",
            "disable_resolve_message": not self.send_resolved,
        }
        return ContactPoint("webhooks", settings, secret=("url",))
