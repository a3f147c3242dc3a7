"""Dashboards of one system: the loyalty service."""
