"""Dashboards of media upload."""
