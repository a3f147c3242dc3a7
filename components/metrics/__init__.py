"""Prometheus, Alertmanager, and the exporters of cluster and nodes."""
