"""Tests rules and routes in the real programs: promtool, Alertmanager, Loki."""

from alerting.files import ROOT

FOLDER = ROOT / "tests" / "rules"
"""The scenarios, and the cases of who is notified."""
