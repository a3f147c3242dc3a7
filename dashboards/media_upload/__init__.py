"""Dashboards of one system: Media upload."""
