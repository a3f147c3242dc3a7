"""Reads the log alerts that Loki's ruler currently evaluates."""

from typing import Any

from ops.clients.signals import Api


class LogRules(Api):
    """Loki's ruler, which serves its rules in Prometheus' format under its own path."""

    def __init__(self, url: str) -> None:
        """`url` of any replica; each evaluates every rule."""
        super().__init__("Loki", url)

    def alert_rules(self) -> dict[str, dict[str, Any]]:
        """Maps each alert name to its rule in Prometheus' format, with the group's `interval` in seconds added."""
        groups = self.get("/prometheus/api/v1/rules", type="alert")["data"]["groups"]
        return {rule["name"]: {**rule, "interval": group["interval"]} for group in groups for rule in group["rules"]}
