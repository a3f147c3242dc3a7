"""Compares two commits for the people who get notifications: in terms of alerts, routes and dashboards."""
