"""Loyalty - Overview: are points granted, and does the ledger follow."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines
from dashboards.builder.queries import prom


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="loyalty-overview",
        title="Loyalty - Overview",
        system="loyalty",
        purpose="Are points granted, and does the ledger follow.",
        runbooks=["LoyaltyGrantFailureRateHigh", "LoyaltyLedgerLagHigh"],
        logs='{namespace="loyalty"}',
    )
    grants = lines(
        "Grants",
        "Grants per second by status.",
        [prom("sum by (status) (rate(loyalty_grants_total[$__rate_interval]))", "{{status}}")],
        Look(unit=units.PER_SECOND),
    )
    ledger = lines(
        "Ledger lag",
        "How far the ledger is behind the grants.",
        [prom("max by (namespace) (loyalty_ledger_lag_seconds)", "{{namespace}}")],
        Look(unit=units.SECONDS, limits=Limits(warning=120, why="LoyaltyLedgerLagHigh alerts above 120 s.")),
    )
    return dashboard(about, [], [row("Points", line(grants, ledger))])
