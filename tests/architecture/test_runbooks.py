"""Every notification links to a runbook: it exists, it is short, and its queries can be pasted."""

import re

import promql_parser
import pytest

from rules import loader
from simulator import job_queue
from tests.mock_engine import ROOT

FOLDER = ROOT / "rules/runbooks"
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
ALERTS = sorted(loader.load().rules())
LONGEST = 40
# What exists besides the job queue's own metrics: Prometheus makes these itself.
OWN = {"up", "scrape_duration_seconds", "ALERTS"}


def test_every_alert_has_a_runbook_and_no_runbook_lacks_its_alert() -> None:
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
def test_a_diagnosis_has_commands_and_queries_that_exist(alert: str) -> None:
    diagnosis = (FOLDER / f"{alert}.md").read_text().split("## Diagnosis\n")[1].split("\n## ")[0]
    commands, queries = re.fullmatch(r"```sh\n(.+?)```\n```promql\n(.+?)```\n?", diagnosis, re.DOTALL).groups()
    assert all(line.startswith(("kubectl -n ", "# ")) for line in commands.splitlines())
    known = OWN | {name + suffix for name in (one.name for one in job_queue.METRICS) for suffix in ("", "_bucket")}
    for query in queries.splitlines():
        used: set[str] = set()

        def visit(node: object, used: set[str] = used) -> None:
            selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
            if isinstance(selector, promql_parser.VectorSelector):
                used.add(selector.name)

        promql_parser.walk(promql_parser.parse(query), visit)
        assert used, query
        assert used <= known, query
