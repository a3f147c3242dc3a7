"""Dashboards of the job queue."""
