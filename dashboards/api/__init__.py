"""Dashboards of one system: The FastAPI services."""
