"""Runs promtool with the samples of simulated pods and the default rules."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path

from alerting import loader, missing_metrics
from alerting.durations import seconds
from simulator.systems import series_files
from tests.simulator.pods import STEP, Pods
from tools.rule_tests import promtool, scenario_rules, yaml_text

RULES = loader.load().rules()
SERIES = series_files.load()
FILES = {
    "job-queue": ("job-queue.yaml", "missing-metrics.yaml"),
    "speccursor": ("speccursor.yaml",),
    "media": ("media-upload.yaml", "media-clustering.yaml", "slos-media-upload.yaml"),
    "api": ("api.yaml",),
    # The files of all alerts that have simulated series.
    "platform": tuple(
        name for name, file in loader.load().files.items() if SERIES.alerts & {rule.alert for rule in file.alerts()}
    ),
}
"""Maps a group of pods to the rule files that read its metrics."""
LATE = {
    "MediaClusterJobsStalled": 600 - STEP,  # ten minutes after the last job
    "MediaClusterNoiseHigh": 2 * STEP,  # three runs, one per evaluation
    # These counters appear with the fault, and a rate needs a second sample.
    **dict.fromkeys(SERIES.second_scrape, STEP),
}
"""Maps an alert to the seconds from the first scrape of its fault until its condition is true (default: 0)."""
EMPTY = {
    "SpecCursorSuspiciousApiUsage": 600,
    "SpecCursorTokenUsageHigh": 3600,
    "MediaReconciliationErrors": 1200,
    "MediaClusterFeedbackFailures": 1200,
}
"""Maps an alert to the seconds until the fault has left its window, and keep_firing_for has passed (default: 300)."""
_FAST, _SLOW = "BudgetBurnFast", "BudgetBurnSlow"
ALONG = {
    # A value above the critical limit is also above the warning's.
    "MediaClusterJobFailuresCritical": ("MediaClusterJobFailures",),
    "MediaClusterLatencyCritical": ("MediaClusterLatencyHigh",),
    "MediaClusterBacklogCritical": ("MediaClusterBacklogHigh",),
    "MediaClusterStreamLagCritical": ("MediaClusterStreamLagHigh",),
    f"MediaUploadAvailability{_FAST}": (f"MediaUploadAvailability{_SLOW}",),
    f"MediaGatewayLatency{_FAST}": (f"MediaGatewayLatency{_SLOW}",),
    f"KubernetesApiAvailability{_FAST}": (f"KubernetesApiAvailability{_SLOW}",),
    "KubernetesApiErrorRateHigh": (f"KubernetesApiAvailability{_FAST}", f"KubernetesApiAvailability{_SLOW}"),
    # What goes on has begun.
    "CollectorDroppingTelemetry": ("TelemetryLost",),
    # Within a history of minutes, a failure rate this high also burns the budget.
    "MediaUploadFailureRateHigh": (f"MediaUploadAvailability{_FAST}", f"MediaUploadAvailability{_SLOW}"),
}
"""Maps an alert to other alerts that its fault also fires."""


@cache
def _rendered(name: str) -> str:
    """A rule file with its alerts and the series that they read, but without series for dashboards only."""
    document = yaml_text.load(promtool.rendered()[name])
    rules = list(scenario_rules.placed(name, document))
    alerts = [one for one in rules if "alert" in one.rule]
    read = scenario_rules.recorded_for([one.rule["expr"] for one in alerts], rules)
    return yaml_text.dump(promtool.deployed(scenario_rules.only(name, document, [*alerts, *read]), f"{STEP}s"))


def hold(alert: str) -> float:
    """The alert's `for` in seconds."""
    return seconds(RULES[alert].for_)


def first_firing(alert: str, switched_on: float) -> float:
    """The first second at which the alert fires, if its fault was switched on just after a scrape."""
    late = LATE.get(alert, 0)
    return switched_on + STEP + late + hold(alert)


def firing(at: float, alerts: Iterable[str], *, but: Collection[str] = ()) -> dict[str, object]:
    """A promtool expectation: exactly these alerts fire at this second. Alerts in `but` may fire or not."""
    others = "|".join(("Watchdog", *but))
    return {
        "expr": f'group by (alertname) (ALERTS{{alertstate="firing", alertname!~"{others}"}})',
        "eval_time": f"{at:.0f}s",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
    }


def check(folder: Path, system: str, runs: Sequence[tuple[Pods, list[dict[str, object]]]]) -> None:
    """Run promtool with these pods and their expectations."""
    longest = max(pods.now for pods, _ in runs)
    # This alert cannot fire if its `for` is longer than the run, and it takes as much time as ten others.
    names = [name for name in FILES[system] if name != missing_metrics.FILE or longest >= hold(missing_metrics.ALERT)]
    for name in names:
        (folder / name).write_text(_rendered(name))
    document = {
        "rule_files": names,
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {"interval": f"{STEP}s", "input_series": pods.series(), "promql_expr_test": expectations}
            for pods, expectations in runs
        ],
    }
    (folder / "test.yaml").write_text(yaml_text.dump(document))
    done = promtool.promtool("test", "rules", folder / "test.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
