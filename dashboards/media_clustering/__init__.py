"""Dashboards of media clustering."""
