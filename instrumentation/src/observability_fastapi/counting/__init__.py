"""Counts requests, and exposes the counts."""
