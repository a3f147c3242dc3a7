"""The index of all alerts with their runbooks, by system."""

from collections.abc import Iterator

from alerting import loader, routing
from alerting.model import Rule
from alerting.routing import Routing, notified
from tools.manual.markdown import GENERATED, table

_INTRODUCTION = """\
Every alert has a page with its meaning, its impact, the diagnosis, the mitigation, and the next person to call.
Each notification links to it.
Thresholds and `for` are those of the rule files; a stack may override them (`alertOverrides`).
Longer procedures for the on-call of media clustering: [playbooks](playbooks/media-clustering.md).
"""


def page() -> str:
    """The page in Markdown."""
    rule_set, routes = loader.load(), routing.load()
    parts = [f"# Alerts and runbooks\n\n{GENERATED}\n\n{_INTRODUCTION}"]
    for name, system in sorted(rule_set.systems.items()):
        own = [rule for rule in rule_set.rules().values() if rule.labels.system == name]
        rows = sorted(_rows(own, routes))
        parts.append(f"## {system.title}\n\n{table(('alert', 'for', 'severity', 'pages', 'receivers'), rows)}\n")
    return "\n".join(parts)


def _rows(rules: list[Rule], routes: Routing) -> Iterator[tuple[str, ...]]:
    for rule in rules:
        labels = rule.labels
        channels = notified.channels(routes, rule.alert_labels)
        receivers = ", ".join(f"`{channel}`" for channel in channels)
        link = f"[{rule.alert}](../rules/runbooks/{rule.alert}.md)"
        yield link, rule.for_, labels.severity, "yes" if labels.page == "true" else "", receivers
