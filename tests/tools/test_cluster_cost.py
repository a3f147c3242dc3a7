"""The measurement of what the metrics of Kubernetes cost: every figure is there, and every page is scraped."""

import re

import pytest

from components.metrics import cluster_jobs
from tools import cluster_cost


def test_the_pages_have_what_the_jobs_keep() -> None:
    """A page of samples that relabeling drops would show no cost."""
    for job in cluster_jobs.jobs("5s"):
        name = job["job_name"]
        lines = list(cluster_cost.exposed(name))
        (kept,) = [one for one in job["metric_relabel_configs"] if one["action"] == "keep"]
        found = [line for line in lines if re.fullmatch(kept["regex"], ";".join(_labels(line, kept["source_labels"])))]
        assert (len(lines), len(found)) == (cluster_cost.SAMPLES[name], cluster_cost.KEPT[name]), name


def _labels(line: str, names: list[str]) -> list[str]:
    own = {"__name__": line.partition("{")[0], **dict(re.findall(r'(\w+)="([^"]*)"', line))}
    return [own.get(name, "") for name in names]


def test_both_servers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert cluster_cost.main(["--warm-up", "1", "--seconds", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line[:26].strip() for line in shown[1:]] == list(cluster_cost.FIGURES)
    before, after, _ = (float(text.replace(",", "")) for text in shown[1][26:].split())
    assert before >= cluster_cost.BASE + cluster_cost.STATE[0]
    assert after - before >= cluster_cost.STATE[1] + sum(cluster_cost.KEPT.values())
