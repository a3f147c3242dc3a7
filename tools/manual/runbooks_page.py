"""The index of all alerts with their runbooks, by system."""

from collections.abc import Iterator

from alerting import loader, routing
from alerting.model import Rule
from alerting.routing import Routing
from tools.manual.markdown import GENERATED, table

_INTRODUCTION = """\
Every alert has a page that says what it means, whom it hurts, how to find the cause, what to do, and who is next; its
address is in each notification. Thresholds and `for` are those of the files: a stack may override them
(`alertOverrides`). Longer ones, for whoever is on call for media clustering:
[playbooks](playbooks/media-clustering.md).
"""


def page() -> str:
    """The page in Markdown."""
    rule_set, routes = loader.load(), routing.load()
    parts = [f"# Alerts and runbooks\n\n{GENERATED}\n\n{_INTRODUCTION}"]
    for name, system in sorted(rule_set.systems.items()):
        own = [rule for rule in rule_set.rules().values() if rule.labels.system == name]
        rows = sorted(_rows(own, routes))
        parts.append(f"## {system.title}\n\n{table(('alert', 'for', 'severity', 'pages', 'told'), rows)}\n")
    return "\n".join(parts)


def _rows(rules: list[Rule], routes: Routing) -> Iterator[tuple[str, ...]]:
    for rule in rules:
        labels = rule.labels
        channels = routes.channels_for({**labels.model_dump(), "alertname": rule.alert})
        told = ", ".join(f"`{channel}`" for channel in channels)
        link = f"[{rule.alert}](../rules/runbooks/{rule.alert}.md)"
        yield link, rule.for_, labels.severity, "yes" if labels.page == "true" else "", told
