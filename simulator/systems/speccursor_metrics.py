"""SpecCursor's metrics: healthy signals, and the faults that consist of signals only.

The counters have fixed rates. The runs of speccursor.py are examples, and their durations are measured.
"""

from simulator.engine.faults import Fault
from simulator.engine.signals import Dilution, Durations, Events, Flood, Level, Signal
from simulator.systems import contract

SERVICES = contract.services("speccursor")
ECOSYSTEMS = ("npm", "cargo", "pypi", "go")
MODELS = ("large", "small")
COMPLEXITIES = ("low", "medium", "high")
DIRECTIONS = ("input", "output")
SOURCES = ("github", "unknown")
REASONS = ("path-traversal", "rate", "unknown-client")
STATUSES = ("success", "failure")

OPERATION_DURATION = "http_request_duration_seconds"

METRICS = contract.metrics(
    "speccursor",
    buckets={
        "upgrade_duration_seconds": (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
        "proof_latency_seconds": (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
        "ai_generation_seconds": (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
        # Includes buckets above the alert's limit of 30 s; otherwise the alert could never fire.
        OPERATION_DURATION: (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0),
    },
)


def _healthy() -> tuple[Signal, ...]:
    """The healthy load: one upgrade a second uses 360,000 tokens an hour, and the alert's limit is a million."""
    signals: list[Signal] = []
    for ecosystem in ECOSYSTEMS:
        success, failure = ({"ecosystem": ecosystem, "status": status} for status in STATUSES)
        # 0.2 % fail; the alert compares with the usual ratio, but only above 1 %.
        signals += [
            Events(metric="upgrades_total", labels=success, per_second=0.25),
            Events(metric="upgrades_total", labels=failure, per_second=0.0005, bad=True),
            _upgrade_durations("controller", success, per_second=0.25, median=40.0),
            _upgrade_durations("controller", failure, per_second=0.0005, median=25.0),
            _upgrade_durations("rust-worker", success, per_second=0.25, median=18.0),
            _upgrade_durations("rust-worker", failure, per_second=0.0005, median=12.0),
        ]
    for complexity, per_second in zip(COMPLEXITIES, (0.5, 0.3, 0.1), strict=True):
        success, failure = ({"status": status, "complexity": complexity} for status in STATUSES)
        signals += [
            Events(metric="proofs_total", labels=success, per_second=per_second),
            Events(metric="proofs_total", labels=failure, per_second=per_second / 30, bad=True),
        ]
    signals += [
        Durations(metric="proof_latency_seconds", labels={"status": "success"}, per_second=0.9, median=0.6),
        Durations(metric="proof_latency_seconds", labels={"status": "failure"}, per_second=0.03, median=6.0),
        Events(metric="ai_requests_total", labels={"status": "success"}, per_second=1.0),
        Events(metric="ai_requests_total", labels={"status": "failure"}, per_second=0.005),
    ]
    for model, median, per_second in (("large", 3.5, 40.0), ("small", 0.8, 10.0)):
        signals.append(
            Durations(metric="ai_generation_seconds", labels={"model": model}, per_second=0.5, median=median)
        )
        signals += [
            Events(metric="ai_tokens_total", labels={"model": model, "direction": direction}, per_second=per_second)
            for direction in DIRECTIONS
        ]
    for number, service in enumerate(SERVICES):
        signals += [
            Level(metric="active_jobs", labels={"service": service}, value=6 - number, wobble=0.3),
            Level(metric="queue_depth", labels={"service": service}, value=8 + number, wobble=0.5),
            Events(metric="auth_failures_total", labels={"service": service}, per_second=0.002),
        ]
    signals += [
        Events(metric="webhook_signature_failures_total", labels={"source": source}, per_second=0.0005)
        for source in SOURCES
    ]
    signals += [
        Events(metric="api_suspicious_requests_total", labels={"reason": reason}, per_second=0.001)
        for reason in REASONS
    ]
    return tuple(signals)


def _upgrade_durations(service: str, labels: dict[str, str], *, per_second: float, median: float) -> Durations:
    return Durations(
        metric="upgrade_duration_seconds",
        labels={"service": service, **labels},
        per_second=per_second,
        median=median,
    )


HEALTHY = _healthy()

_GOOD_UPGRADE = Events(metric="upgrades_total", labels={"ecosystem": "npm", "status": "success"})
_BAD_UPGRADE = Events(metric="upgrades_total", labels={"ecosystem": "npm", "status": "failure"}, bad=True)
_GOOD_PROOF = Events(metric="proofs_total", labels={"status": "success", "complexity": "high"})
_BAD_PROOF = Events(metric="proofs_total", labels={"status": "failure", "complexity": "high"}, bad=True)

# As in job_queue.py: the condition is true from the first scrape on, and no metric of another alert changes.
FAULTS = (
    Fault(
        alert="SpecCursorUpgradeFailureRateAnomalous",
        text="4 % of an hour's upgrades fail at once, then 10 %; retried ones succeed at the end. The alert compares "
        "with the last 7 days: on a young stack, it needs more quiet time than trouble in them.",
        signals=(
            Flood(good=_GOOD_UPGRADE, bad=_BAD_UPGRADE, share=1.0, times=0.04, window=3600.0),
            Events(metric="upgrades_total", labels=_BAD_UPGRADE.labels, per_second=0.1, bad=True),
        ),
        after=(Dilution(good=_GOOD_UPGRADE, share=0.007, window=3660.0),),
    ),
    Fault(
        alert="SpecCursorProofFailureRateHigh",
        text="As many proofs fail as were checked in 15 minutes; retried ones succeed at the end. The limit is 20 %.",
        signals=(
            Flood(good=_GOOD_PROOF, bad=_BAD_PROOF, share=1.0, times=1.0, window=900.0),
            Events(metric="proofs_total", labels=_BAD_PROOF.labels, per_second=0.8, bad=True),
        ),
        after=(Dilution(good=_GOOD_PROOF, share=0.1, window=960.0),),
    ),
    Fault(
        alert="SpecCursorTokenUsageHigh",
        text="1.5 million tokens at once; the limit is a million an hour. Used tokens stay counted, so the alert "
        "resolves an hour later.",
        signals=(
            Events(
                metric="ai_tokens_total",
                labels={"model": "large", "direction": "output"},
                per_second=100.0,
                burst=1_500_000,
            ),
        ),
    ),
    Fault(
        alert="SpecCursorWebhookSignatureFailures",
        text="Webhooks with wrong signatures arrive; the limit is 5 in five minutes.",
        signals=(
            Events(metric="webhook_signature_failures_total", labels={"source": "unknown"}, per_second=0.5, burst=20),
        ),
    ),
    Fault(
        alert="SpecCursorAuthFailuresHigh",
        text="Logins to one service fail; the limit is 50 in five minutes.",
        signals=(Events(metric="auth_failures_total", labels={"service": "controller"}, per_second=1.0, burst=150),),
    ),
    Fault(
        alert="SpecCursorSuspiciousApiUsage",
        text="Suspicious requests arrive; the limit is 20 in ten minutes. The alert resolves after ten minutes.",
        signals=(
            Events(
                metric="api_suspicious_requests_total",
                labels={"reason": "path-traversal"},
                per_second=0.5,
                burst=60,
            ),
        ),
    ),
)
