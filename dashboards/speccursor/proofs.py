"""SpecCursor - Proof Verification: success and duration of proof checks, failures by complexity."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import bars, buckets, lines, single
from dashboards.builder.queries import percentiles, prom, quantile, share
from dashboards.builder.variables import label_values
from dashboards.speccursor import signals

_HERE = signals.HERE
_OF = f'{_HERE}, complexity=~"$complexity"'
# The histogram has no label `complexity`.
_BUCKETS = f"proof_latency_seconds_bucket{{{_HERE}}}"
_FAILED_LIMITS = Limits(
    warning=0.2, why="SpecCursorProofFailureRateHigh alerts above 20 % within 15 minutes, all complexities together."
)
_HELD_LIMITS = Limits(
    warning=0.8,
    low_is_bad=True,
    why="SpecCursorProofFailureRateHigh alerts when more than 20 % fail within 15 minutes.",
)


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-proofs",
        shows="Proof Verification",
        purpose="Number of proofs that lean-engine checks, how many hold, how long the checks take, and whether "
        "complex proofs fail more often. An upgrade whose proof fails is not proposed.",
        runbooks=["SpecCursorProofFailureRateHigh"],
        logs='{namespace=~"${namespace:pipe}", service="lean-engine"}',
    )
    variables = [signals.namespace(), label_values("complexity", "complexity", f"proofs_total{{{_HERE}}}")]
    return dashboard(about, variables, [_now(), _success(), _time(), signals.service_log("lean-engine")])


def _proofs(status: str = "", by: str = "", window: str = "$__rate_interval", of: str = _OF) -> str:
    clause = f" by ({by})" if by else ""
    matcher = f', status="{status}"' if status else ""
    return f"sum{clause} (rate(proofs_total{{{of}{matcher}}}[{window}]))"


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "Proofs",
                "Proofs checked per second.",
                prom(_proofs(), "proofs"),
                Look(unit=units.PER_SECOND),
            ),
            single(
                "Success rate",
                "Share of the proofs of the last 15 minutes that hold.",
                prom(share(_proofs("success", window="15m"), _proofs(window="15m")), "hold"),
                Look(unit=units.RATIO, limits=_HELD_LIMITS),
            ),
            single(
                "p95 latency",
                "95 % of the checks end within this time, whatever their result.",
                prom(quantile(0.95, _BUCKETS), "p95"),
                Look(unit=units.SECONDS, limits=signals.SLOW),
            ),
            bars(
                "Success rate by complexity",
                "Share of the proofs of the last 15 minutes that hold.",
                prom(
                    share(_proofs("success", "complexity", "15m"), _proofs(by="complexity", window="15m")),
                    "{{complexity}}",
                ),
                Look(unit=units.RATIO, maximum=1, limits=_HELD_LIMITS),
            ),
            height=5,
            widths=(5, 5, 5, 9),
        ),
    )


def _success() -> Row:
    failed = share(_proofs("failure", "namespace", "15m", of=_HERE), _proofs(by="namespace", window="15m", of=_HERE))
    return row(
        "Results",
        line(
            lines(
                "Failure ratio of 15 minutes",
                "Share of the proofs that failed in the 15 minutes before each point, of all complexities.",
                [prom(failed, "{{namespace}}")],
                Look(unit=units.RATIO, limits=_FAILED_LIMITS),
            ),
            lines(
                "Failure ratio by complexity",
                "Share of the proofs that failed. If only complex proofs fail, the cause is a limit of time or memory; "
                "if all fail, it is the prover or its library.",
                [prom(share(_proofs("failure", "complexity"), _proofs(by="complexity")), "{{complexity}}")],
                Look(unit=units.RATIO, limits=_FAILED_LIMITS),
            ),
            lines(
                "Proofs by complexity and status",
                "Proofs checked per second.",
                [prom(_proofs(by="complexity, status"), "{{complexity}} {{status}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
        ),
    )


def _time() -> Row:
    return row(
        "Latency",
        line(
            lines(
                "Latency by status",
                "50 % and 95 % of the checks end within this time. Failures that all take equally long are timeouts. "
                f"Points link to traces. {KEPT_TRACES}",
                percentiles(_BUCKETS, "status", 50, 95),
                Look(unit=units.SECONDS, limits=signals.SLOW),
            ),
            buckets(
                "Distribution of the latency",
                "Checks by duration, whatever their result.",
                _BUCKETS,
            ),
        ),
    )
