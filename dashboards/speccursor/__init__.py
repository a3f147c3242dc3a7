"""Dashboards of one system: The AI upgrade service."""
