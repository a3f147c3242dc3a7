"""Dashboards of the platform itself."""
