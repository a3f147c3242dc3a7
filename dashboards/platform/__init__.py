"""Dashboards of one system: The platform itself."""
