"""The alerts on log lines, as Loki's ruler evaluates them at present."""

from typing import Any

from ops.clients.signals import Api


class LogRules(Api):
    """Loki's ruler. It tells about its rules in the words of Prometheus, under a path of its own."""

    def __init__(self, url: str) -> None:
        """`url` of any replica: each evaluates every rule."""
        super().__init__("Loki", url)

    def alert_rules(self) -> dict[str, dict[str, Any]]:
        """Alert name -> rule as Prometheus would give it, with the group's `interval` in seconds added."""
        groups = self.get("/prometheus/api/v1/rules", type="alert")["data"]["groups"]
        return {rule["name"]: {**rule, "interval": group["interval"]} for group in groups for rule in group["rules"]}
