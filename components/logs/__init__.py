"""Loki, and the index of log lines in OpenSearch."""
