"""Each fault against the real rules, by promtool: its alert alone fires, at the first chance, and resolves in time.

The simulator runs under a clock of the test; what its pods would be scraped as becomes the input series.
"""

import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from local.toolchain import tool
from rules import loader
from rules.durations import seconds
from simulator import job_queue
from simulator.faults import Switchboard
from simulator.workload import Workload

STEP = 15
"""Seconds between scrapes, and between evaluations."""
WINDOW = 300
"""Seconds: the rate window of the rules."""
ON = 600
"""Second at which the fault is switched on; a scrape has just passed."""
EPOCH = 1_800_000_000.0
RULES = loader.load().rules()
FAULTS = [fault.alert for fault in job_queue.FAULTS]


class Pods:
    """One server and two workers under one clock, scraped every STEP seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._values: dict[str, dict[int, float]] = defaultdict(dict)
        self.replace()

    def replace(self) -> None:
        """Replace every pod: other names, counters from 0, no faults."""
        server = Workload(job_queue.metrics("server"), job_queue.server(2), clock=lambda: self.now)
        self.switches = Switchboard(server, job_queue.FAULTS, clock=lambda: EPOCH + self.now)
        self._pods = {f"server-{self.now:.0f}": server} | {
            f"worker-{self.now:.0f}-{name}": Workload(
                job_queue.metrics("worker"), job_queue.worker(name), clock=lambda: self.now
            )
            for name in "ab"
        }

    def run_until(self, end: float) -> None:
        """Scrape up to `end`, which is left just after a scrape."""
        while self.now < end:
            self.now += STEP
            self.switches.expire()
            for pod, workload in self._pods.items():
                workload.advance()
                for family in workload.registry.collect():
                    for sample in family.samples:
                        app = f"jq-{pod.split('-')[0]}"
                        labels = {**sample.labels, "namespace": "job-queue", "pod": pod, "app": app}
                        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
                        self._values[f"{sample.name}{{{text}}}"][round(self.now / STEP)] = sample.value

    def series(self) -> list[dict[str, str]]:
        """promtool's input series."""
        last = round(self.now / STEP)
        return [
            {"series": name, "values": " ".join(str(values.get(step, "_")) for step in range(last + 1))}
            for name, values in self._values.items()
        ]


def firing(at: float, alerts: Iterable[str]) -> dict[str, object]:
    """A promtool expectation: exactly these alerts fire at this second."""
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing", system="job-queue"})',
        "eval_time": f"{at:.0f}s",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
    }


def check(folder: Path, pods: Pods, expectations: list[dict[str, object]]) -> None:
    """Run promtool with the rules as they are deployed by default."""
    rule_set = loader.load()
    links = loader.Links(runbook_base_url="http://runbooks", dashboard_base_url="http://dashboards")
    for name, text in loader.render(rule_set, {}, links).items():
        (folder / name).write_text(text)
    document = {
        "rule_files": ["job-queue.yaml"],
        "evaluation_interval": f"{STEP}s",
        "tests": [{"interval": f"{STEP}s", "input_series": pods.series(), "promql_expr_test": expectations}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(document, width=10**6))
    done = subprocess.run(
        [tool("promtool"), "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def hold(alert: str) -> float:
    """Seconds of the alert's own `for`."""
    return seconds(RULES[alert].for_)


@pytest.mark.parametrize("alert", FAULTS)
def test_a_fault_fires_its_alert_alone_and_resolves(tmp_path: Path, alert: str) -> None:
    pods = Pods()
    pods.run_until(ON)
    pods.switches.switch_on(alert)
    # Condition true at the first scrape after the switch, so firing one `for` later; then the fault stays for a minute.
    first_firing = ON + STEP + hold(alert)
    off = first_firing + 60
    pods.run_until(off)
    pods.switches.switch_off(alert)
    resolved = off + WINDOW + STEP
    pods.run_until(resolved + 600)

    moments = [firing(at, [alert]) for at in (first_firing, off)]
    silence = [firing(at, []) for at in (ON, first_firing - STEP, resolved, resolved + 600)]
    check(tmp_path, pods, silence + moments)


@pytest.mark.parametrize("alert", ["JobQueueDepthHigh", "JobQueueNoWorkers"])
def test_a_level_resolves_with_the_next_scrape(tmp_path: Path, alert: str) -> None:
    pods = Pods()
    pods.run_until(ON)
    pods.switches.switch_on(alert)
    off = ON + STEP + hold(alert)
    pods.run_until(off)
    pods.switches.switch_off(alert)
    pods.run_until(off + STEP)

    check(tmp_path, pods, [firing(off, [alert]), firing(off + STEP, [])])


@pytest.mark.parametrize("alert", FAULTS)
def test_a_drill_can_be_repeated_all_day(tmp_path: Path, alert: str) -> None:
    """What came before in the hour must not make a fault too weak; that is what the Kafka alert compares with."""
    pods = Pods()
    expectations: list[dict[str, object]] = []
    for _ in range(8):
        pods.run_until(pods.now + 330)  # the window of the one before must be empty
        expectations.append(firing(pods.now, []))
        pods.switches.switch_on(alert)
        pods.run_until(pods.now + STEP + hold(alert))
        expectations.append(firing(pods.now, [alert]))
        pods.switches.switch_off(alert)

    check(tmp_path, pods, expectations)


def test_all_faults_at_once_fire_all_alerts(tmp_path: Path) -> None:
    pods = Pods()
    pods.run_until(ON)
    for alert in FAULTS:
        pods.switches.switch_on(alert)
    pods.run_until(ON + STEP + max(map(hold, FAULTS)))

    check(tmp_path, pods, [firing(pods.now, FAULTS)])


def test_healthy_pods_and_new_pods_are_silent(tmp_path: Path) -> None:
    pods = Pods()
    pods.run_until(1800)
    pods.replace()
    pods.run_until(3600)

    check(tmp_path, pods, [firing(at, []) for at in range(0, 3600, 300)])
