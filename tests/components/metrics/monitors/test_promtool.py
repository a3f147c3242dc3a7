"""Whatever a monitor says, Prometheus starts: promtool takes the jobs of thousands of drawn monitors, in one file."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.metrics import prometheus_config
from components.metrics.monitors import convert, patterns
from components.metrics.monitors.convert import Monitor
from components.metrics.monitors.fields import SkippedError
from local.toolchain import tool
from tests.components.metrics.monitors import drawn
from tests.components.metrics.monitors.cases import LISTED, POD, SERVICE, common

COMMON = common()
# 100, and 1,000 with `--hypothesis-profile=thorough`, as every night. How many of them are accepted varies by a tenth:
# Hypothesis also draws constants of the modules that the process has imported.
_EXAMPLES = settings().max_examples
many = settings(max_examples=5 * _EXAMPLES, suppress_health_check=list(HealthCheck), database=None, derandomize=True)


def check(jobs: list[str], folder: Path) -> None:
    """Fails with promtool's reason if Prometheus would not start with these jobs."""
    token = folder / "token"
    token.write_text("")
    text = prometheus_config.render(
        cluster="c", scrape_interval="30s", evaluation_interval="30s", alertmanagers=["a:9093"], monitors=True
    )
    text = text.replace("/var/run/secrets/kubernetes.io/serviceaccount/token", str(token))
    (folder / "prometheus.yml").write_text(text.replace(prometheus_config.MONITORS_FOLDER, str(folder)))
    (folder / "monitors.json").write_text("".join(('{"scrape_configs": [\n', ",\n".join(jobs), "\n]}\n")))
    command = [tool("promtool"), "check", "config", folder / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def test_a_wrong_job_would_be_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"missing closing \)"):
        check(['{"job_name": "a", "relabel_configs": [{"regex": "(", "target_label": "a"}]}'], tmp_path)


def test_every_accepted_expression_compiles(tmp_path: Path) -> None:
    accepted: set[str] = set()

    @many
    @given(st.lists(drawn.PATTERNS, min_size=5, max_size=10))
    def collect(drawn_patterns: list[str]) -> None:
        accepted.update(filter(_accepted, drawn_patterns))

    collect()
    assert len(accepted) > 2 * _EXAMPLES
    relabelings = [[{"action": "drop", "regex": one, "source_labels": ["a"]}] for one in sorted(accepted)]
    jobs = [{"job_name": f"j{number}", "relabel_configs": one} for number, one in enumerate(relabelings)]
    check([json.dumps(job, ensure_ascii=False) for job in jobs], tmp_path)


def test_no_relabeling_keeps_prometheus_from_starting(tmp_path: Path) -> None:
    accepted: list[str] = []

    @many
    @given(drawn.RELABELINGS, st.sampled_from(["relabelings", "metricRelabelings"]), st.sampled_from(["shop", LISTED]))
    def collect(relabelings: list[Any], field: str, namespace: str) -> None:
        for one in relabelings:
            accepted.extend(_jobs(Monitor(SERVICE, namespace, f"m{len(accepted)}"), {"endpoints": [{field: [one]}]}))

    collect()
    assert len(accepted) > 2 * _EXAMPLES
    check(accepted, tmp_path)


def test_no_monitor_keeps_prometheus_from_starting(tmp_path: Path) -> None:
    accepted: list[str] = []

    @settings(many, max_examples=3 * _EXAMPLES)
    @given(drawn.SPECS, drawn.ENDPOINTS, st.sampled_from([SERVICE, POD]), st.sampled_from(["shop", LISTED]))
    def collect(spec: dict[str, Any], endpoints: list[Any], kind: str, namespace: str) -> None:
        field = "endpoints" if kind == SERVICE else "podMetricsEndpoints"
        # Its parts alone are accepted more often than all of them together.
        for part in ({}, spec):
            for some in (endpoints, [{}]):
                monitor = Monitor(kind, namespace, f"m{len(accepted)}")
                accepted.extend(_jobs(monitor, {**part, field: some}))

    collect()
    assert len(accepted) > 4 * _EXAMPLES
    check(accepted, tmp_path)


def _accepted(pattern: str) -> bool:
    try:
        return patterns.size(pattern) > 0
    except patterns.UnclearError:
        return False


def _jobs(monitor: Monitor, spec: dict[str, Any]) -> list[str]:
    # As the API server sends it: without lone surrogates.
    document = json.loads(json.dumps({"spec": spec}).encode().decode())
    try:
        return [job.text.decode() for job in convert.jobs(monitor, document, COMMON)]
    except SkippedError:
        return []
