"""Dashboards of one system: Media clustering."""
