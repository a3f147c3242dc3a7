"""The page of the telemetry contract, from rules/contract."""

from alerting import contract, systems
from alerting.contract import Contract
from alerting.files import RULES
from tools.manual.markdown import GENERATED, table

_INTRODUCTION = """\
The names that rules, dashboards, tests and simulated workloads share.
A system may export more; nothing here may disappear or change its type or labels without a change of the rules.
The sources are `rules/contract/<system>.yaml`.
"""


def page() -> str:
    """The page in Markdown."""
    titles = {name: system.title for name, system in systems.load(RULES)[0].items()}
    parts = [f"# Telemetry contract\n\n{GENERATED}\n\n{_INTRODUCTION}"]
    parts += [_section(titles[name], one) for name, one in contract.load().items() if one.metrics]
    return "\n".join(parts)


def _section(title: str, one: Contract) -> str:
    metrics = [
        (f"`{name}`", metric.type, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for name, metric in one.metrics.items()
    ]
    text = f"## {title}\n\n"
    if one.services:
        text += f"Services in spans and log lines: {', '.join(f'`{name}`' for name in one.services)}.\n\n"
    text += f"{table(('metric', 'type', 'labels', 'meaning'), metrics)}\n"
    if one.log_fields:
        fields = [(f"`{name}`", meaning) for name, meaning in one.log_fields.items()]
        text += f"\n{table(('field of a log line', 'meaning'), fields)}\n"
    return text
