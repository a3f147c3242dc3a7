"""Every alert has a runbook, which is short, leads to dashboard and logs, and has commands and queries that work."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest

from alerting import loader, missing_metrics
from components.metrics import kube_state_metrics
from simulator.systems import job_queue
from tests import runbook_pages as runbooks
from tests.mock_engine import ROOT
from tests.runbook_pages import ALERTS, FOLDER, PAGES, PLAYBOOK, blocks

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
LONGEST = 45
LEVELS = {
    match
    for rule in loader.load().rules().values()
    if rule.engine == "loki"
    for match in re.findall(r'level=~"[^"]+"', rule.expr)
}
"""The matcher of errors, as alerts on log lines have it."""


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
    | {"prometheus_config_last_reload_success_timestamp_seconds", missing_metrics.RECORD}
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
    shape = (
        r"In Grafana: dashboard `(\S+)`; log search: .+\n"
        r"```sh\n(.+?)```\n(?:```promql\n(.+?)```\n?)?```logql\n(.+?)```\n?"
    )
    found = re.fullmatch(shape, diagnosis, re.DOTALL)
    assert found, diagnosis
    dashboard, commands, promql, _ = found.groups()
    assert dashboard == loader.load().rules()[alert].annotations.dashboard_url
    assert all(line.startswith(("kubectl -n ", "# ")) for line in commands.splitlines())
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


def problems_of(page: Path) -> Iterator[str]:
    """Commands and log searches of a page that do not do what the reader expects, one line each."""
    yield from command_problems(page)
    yield from search_problems(page)


def command_problems(page: Path) -> Iterator[str]:
    """Commands that find nothing, read too little, or mean something else to a shell."""
    text = page.read_text()
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if not line.startswith("#")]
    for command in [*lines, *re.findall(r"`(kubectl [^`]+)`", text)]:
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
        if re.search(r"[?*<>\[\]]", bare):
            yield f"{command}: a shell expands or redirects; quote it, and write placeholders in capital letters"
        if re.search(r"get \S*events\S* .*-l ", command):
            yield f"{command}: events do not carry the labels of pods, so none is found"
        if re.search(r" logs (deployment|statefulset|daemonset)/", command):
            yield f"{command}: reads one pod of several; allowed: -l with --prefix"
        if " logs -l " in command and "--tail=" not in command:
            yield f"{command}: reads 10 lines of each pod; allowed: with --tail"
    for line in lines:
        if "port-forward" in line and not line.endswith(" &"):
            yield f"{line}: blocks the commands after it; allowed: with & at its end"


def search_problems(page: Path) -> Iterator[str]:
    """LogQL that reads too much, or misses levels."""
    for query in (line for block in blocks(page, "logql") for line in block.splitlines()):
        if not re.search(r"\{[^}]*(namespace|app)=~?\"(?!\.[+*])", query) and "| node=" not in query:
            yield f"{query}: reads the logs of the whole cluster"
        for level in re.findall(r'level=~?"[^"]*"', query):
            if level.replace("warn(ing)?|", "") not in LEVELS:
                yield f"{query}: does not find every way to write a level; allowed: {', '.join(LEVELS)}"


def test_commands_and_log_searches_work_as_they_stand() -> None:
    assert len(LEVELS) == 1
    assert [f"{page.name}: {problem}" for page in PAGES for problem in problems_of(page)] == []


def test_a_shell_parses_every_block_of_commands() -> None:
    """In one run: a function for each block, which is parsed and not called."""
    found = [(page, block) for page in PAGES for block in blocks(page, "sh")]
    script = "".join(f"f{number}() {{\n{block}\n}}\n" for number, (_, block) in enumerate(found))
    assert len(found) > len(ALERTS)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, capture_output=True)


def test_commands_that_do_not_work_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        """1. List:
   ```sh
   kubectl -n a get pods,events -l x=y
   kubectl -n a logs deployment/b --tail=5
   kubectl -n a logs -l x=y --prefix
   curl -s localhost/health?pretty
   curl -s "localhost/health?pretty"
   kubectl -n a port-forward svc/b 1:1
   ```
   ```logql
   {namespace=~".+"} | level="ERROR"
   ```
Then `kubectl -n a delete pod <pod>`.
"""
    )
    assert [problem.split(": ")[1] for problem in problems_of(page)] == [
        "events do not carry the labels of pods, so none is found",
        "reads one pod of several; allowed",
        "reads 10 lines of each pod; allowed",
        "a shell expands or redirects; quote it, and write placeholders in capital letters",
        "a shell expands or redirects; quote it, and write placeholders in capital letters",
        "blocks the commands after it; allowed",
        "reads the logs of the whole cluster",
        "does not find every way to write a level; allowed",
    ]


def test_every_placeholder_has_a_name_on_the_local_stack() -> None:
    """tests/e2e/test_runbook_commands.py runs the commands there."""
    found = list(runbooks.commands())
    assert len(found) > 100
    assert {command: left for command in found if (left := runbooks.unknown(command))} == {}
    assert runbooks.filled("kubectl -n NAMESPACE describe pvc VOLUME", runbooks.ANY).endswith("describe pvc claim")
    assert runbooks.expected('Error from server (NotFound): deployments.apps "gateway" not found')
    assert not runbooks.expected('Error from server (NotFound): deployments.apps "loki" not found')
    assert not runbooks.expected("error: unknown flag: --perfix")


def test_the_playbook_has_the_quick_links_of_its_service() -> None:
    text = PLAYBOOK.read_text().split("## ")[1]
    assert text.startswith("Quick links\n")
    for wanted in (
        "/d/media-cluster-observability",
        "/explore",
        "`9105`",
        "`WORKER_METRICS_HOST`",
        "`WORKER_METRICS_PORT`",
    ):
        assert wanted in text, wanted
