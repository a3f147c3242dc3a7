"""Tests rules and routes in the real programs: promtool, Alertmanager, Loki."""
