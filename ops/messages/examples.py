"""Example alerts of a stack's rules: labels as their series have them, and texts as Prometheus writes them."""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote_plus

from alerting.files import write_yaml
from alerting.model import Links, Rule, RuleSet
from local.toolchain import tool
from ops.errors import OpsError
from settings.values import Values

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_GOT = re.compile(r"Labels:(\{.*\})\s*\n\s*Annotations:(\{.*\})")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One alert as Prometheus sends it to Alertmanager."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    query: str
    """Link to the expression."""


def series_labels(rule: Rule, rule_set: RuleSet) -> tuple[str, ...]:
    """Labels that the alert's series probably have: those that its query groups by, and those that its texts name."""
    query, texts = rule.expr, rule.annotations
    query += "".join(f" {one.expr}" for one in rule_set.recordings() if one.record in rule.expr)
    named = {label.strip() for labels in re.findall(r"\bby\s*\(([^)]*)\)", query) for label in labels.split(",")}
    named |= set(re.findall(r"\$labels\.(\w+)", texts.summary + texts.description))
    return tuple(sorted(named - {"", "le"}))


def examples(
    rules: Sequence[tuple[Rule, float]],
    rule_set: RuleSet,
    where: Values,
    *,
    count: int = 1,
    value: Callable[[str, int], str] = lambda label, number: f"{label}-{number}",
) -> list[Example]:
    """`count` alerts of each rule and value of its expression, with the addresses of the stack `where`.

    `value` gives a label's value of the numbered alert.

    Raises OpsError if promtool cannot evaluate the rules.
    """
    series, alerts = [], []
    for index, (rule, number) in enumerate(rules):
        # One series per alert, with the value; the texts do not depend on the expression.
        document = rule.model_dump(by_alias=True, exclude_none=True, exclude={"for_", "keep_firing_for"})
        alerts.append({**document, "expr": f"example_{index}"})
        for instance in range(1, count + 1):
            own = {label: value(label, instance) for label in series_labels(rule, rule_set)}
            own["example"] = str(instance)  # so that alerts without labels have `count` series, too
            pairs = ", ".join(f"{label}={_go(text)}" for label, text in own.items())
            series.append({"series": f"example_{index}{{{pairs}}}", "values": f"{number:g}"})
    found = _evaluated(alerts, series)
    by_name = {rule.alert: rule for rule, _ in rules}
    return [_example(by_name[labels["alertname"]], labels, texts, where) for labels, texts in found]


def _example(rule: Rule, labels: dict[str, str], texts: dict[str, str], where: Values) -> Example:
    links = Links(runbook_base_url=where.runbook_base_url, dashboard_base_url=where.dashboard_base_url)
    return Example(
        labels={name: text for name, text in labels.items() if name != "example"} | {"cluster": where.cluster_name},
        annotations={**texts, **links.of(rule)},
        query=f"{where.prometheus_url.rstrip('/')}/graph?g0.expr={quote_plus(rule.expr)}&g0.tab=1",
    )


def _evaluated(
    alerts: Sequence[Mapping[str, Any]], series: Sequence[Mapping[str, str]]
) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Labels and annotations of each alert that fires for these series."""
    names = [str(alert["alert"]) for alert in alerts]
    # promtool prints what fires where the test expects nothing.
    cases = [{"eval_time": "0m", "alertname": name, "exp_alerts": []} for name in names]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": list(series), "alert_rule_test": cases}],
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(write_yaml({"groups": [{"name": "examples", "rules": list(alerts)}]}))
        (folder / "test.yaml").write_text(write_yaml(test))
        done = subprocess.run(
            [tool("promtool"), "test", "rules", folder / "test.yaml"], capture_output=True, text=True, check=False
        )
    found = [(pairs(labels), pairs(texts)) for labels, texts in _GOT.findall(done.stdout + done.stderr)]
    if {labels["alertname"] for labels, _ in found} != set(names):
        raise OpsError(f"promtool cannot evaluate the example alerts: {(done.stdout + done.stderr)[-2000:]}")
    return found


def pairs(text: str) -> dict[str, str]:
    """Labels as Prometheus prints them: `{a="b", c="d"}`."""
    # Python knows all escapes that Go writes. `ast.literal_eval` fails in Python 3.11 if the garbage collector runs
    # meanwhile and starts code that parses, for instance to format a traceback.
    return {
        name: quoted.encode("ascii", "backslashreplace").decode("unicode_escape")
        for name, quoted in re.findall(rf"(\w+)={_QUOTED}", text)
    }


def _go(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
