"""Every alert has a runbook, which is short and has valid queries."""

import re

import promql_parser
import pytest

from alerting import loader
from components.metrics import kube_state_metrics
from simulator.systems import job_queue
from tests.mock_engine import ROOT

FOLDER = ROOT / "rules/runbooks"
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
ALERTS = sorted(loader.load().rules())
LONGEST = 40


def metrics(query: str) -> set[str]:
    """Names of the metrics that a query selects."""
    used: set[str] = set()

    def visit(node: object) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector) and selector.name:
            used.add(selector.name)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return used


def dashboard_text() -> str:
    return "".join(file.read_text() for file in (ROOT / "dashboards/rendered").glob("*.json"))


# Metrics that a runbook may query: those of the job queue, of kube-state-metrics and of Prometheus itself, and those
# in rules and dashboards, which `make check-queries` runs on the live stack.
KNOWN = (
    {"up", "scrape_duration_seconds", "ALERTS", *kube_state_metrics.METRICS}
    # Prometheus' own metrics that only a diagnosis queries.
    | {"prometheus_config_last_reload_success_timestamp_seconds"}
    | {f"prometheus_remote_storage_samples_{outcome}_total" for outcome in ("failed", "retried")}
    | {f"prometheus_remote_storage_shards_{number}" for number in ("desired", "max")}
    | {name + suffix for name in (one.name for one in job_queue.METRICS) for suffix in ("", "_bucket")}
    | {name for rule in loader.load().rules().values() if rule.engine == "prometheus" for name in metrics(rule.expr)}
    | {rule.record for rule in loader.load().recordings()}
    | set(re.findall(r"\b[a-z]\w+_\w+\b", dashboard_text()))
)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert sorted(file.name for file in FOLDER.iterdir()) == [f"{alert}.md" for alert in ALERTS]


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_has_its_sections_and_is_short(alert: str) -> None:
    text = (FOLDER / f"{alert}.md").read_text()
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE))
    assert len(text.splitlines()) < LONGEST
    assert not re.search(r"https?://", text)  # addresses differ between stacks


@pytest.mark.parametrize("alert", ALERTS)
def test_a_diagnosis_has_commands_and_queries_on_existing_metrics(alert: str) -> None:
    diagnosis = (FOLDER / f"{alert}.md").read_text().split("## Diagnosis\n")[1].split("\n## ")[0]
    shape = r"```sh\n(.+?)```\n(?:```promql\n(.+?)```\n?)?(?:```logql\n(.+?)```\n?)?"
    found = re.fullmatch(shape, diagnosis, re.DOTALL)
    assert found, diagnosis
    commands, promql, loki = found.groups()
    assert all(line.startswith(("kubectl -n ", "# ")) for line in commands.splitlines())
    assert promql or loki
    for query in (promql or "").splitlines():
        used = metrics(query)
        assert used, query
        assert used <= KNOWN, query


NAMED = re.compile(r"more than ([\d,]+(?:\.\d+)?)( %)?[^`(]*\((?:threshold )?`(\w+)`", re.IGNORECASE)
"""A number and, in brackets after it, the threshold that it repeats."""


def test_a_number_beside_a_threshold_is_its_value() -> None:
    found = 0
    for alert, thresholds in loader.load().thresholds.items():
        text = (FOLDER / f"{alert}.md").read_text().replace("\n", " ")
        for number, percent, name in NAMED.findall(text):
            value = float(number.replace(",", "")) / (100 if percent else 1)
            # Zero is written as "a failure".
            if thresholds.get(name):
                assert value == pytest.approx(thresholds[name]), f"{alert}: {number}{percent} is not {name}"
                found += 1
    assert found > 20
