"""Dashboards of the FastAPI services."""
