"""A Slack channel, notified through an incoming webhook of a Slack app."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from alerting.base import Document, Strict
from alerting.routing.kinds.base import (
    GRAFANA_TEXT,
    GRAFANA_TITLE,
    ChannelKind,
    ConfigKey,
    ContactPoint,
    Form,
    template,
)


class Mention(Strict):
    """Whom a firing alert mentions, so that Slack notifies them."""

    alerts: Annotated[list[str], Field(min_length=1)]
    who: ConfigKey
    """Config key: `here`, `channel`, or the id of a user group or a user."""


class Slack(ChannelKind):
    """A Slack channel, notified through an incoming webhook.

    A webhook of a Slack app posts into the one channel for which it was created, and ignores the channel in a message.
    So each channel has a webhook of its own.
    """

    channel: Annotated[str, Field(pattern=r"^#[a-z0-9_-]+$")]
    """The channel for which the webhook was created. Only webhooks of the former integration obey it."""
    url_secret: ConfigKey
    mention: Mention | None = None

    def keys(self) -> dict[str, Form]:
        return {self.url_secret: "url", **({self.mention.who: "mention"} if self.mention else {})}

    def place(self) -> tuple[str, str]:
        return self.url_secret, self.channel

    def named_alerts(self) -> tuple[str, ...]:
        return tuple(self.mention.alerts) if self.mention else ()

    def receiver(self, name: str, secrets: Mapping[str, str]) -> Document:  # noqa: ARG002
        slack: Document = {
            "api_url": secrets[self.url_secret],
            "channel": self.channel,
            "send_resolved": self.send_resolved,
            "color": template("slack.color"),
            "title": template("title"),
            "title_link": template("runbook.url"),
            "text": template("slack.text"),
            "fallback": template("title"),
        }
        if self.mention:
            slack["pretext"] = self._mentioned(self.mention, secrets)
        return {"slack_configs": [slack]}

    def contact_point(self, name: str, secrets: Mapping[str, str], *, pagerduty_url: str) -> ContactPoint:  # noqa: ARG002
        settings: Document = {
            "url": secrets[self.url_secret],
            "recipient": self.channel,
            "title": GRAFANA_TITLE,
            "text": GRAFANA_TEXT,
            "disable_resolve_message": not self.send_resolved,
        }
        return ContactPoint("slacks", settings, secret=("url",))

    def _mentioned(self, mention: Mention, secrets: Mapping[str, str]) -> str:
        who = secrets[mention.who]
        code = {"S": f"<!subteam^{who}>", "U": f"<@{who}>", "W": f"<@{who}>"}.get(who[:1], f"<!{who}>")
        named = " ".join(f'(eq .CommonLabels.alertname "{alert}")' for alert in mention.alerts)
        return f'{{{{ if and (eq .Status "firing") (or {named}) }}}}{code}{{{{ end }}}}'
