"""Grafana: the server, and its data sources, dashboards, contact points and notification policy."""
