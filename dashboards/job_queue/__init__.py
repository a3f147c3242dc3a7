"""Dashboards of one system: The job queue."""
