"""Dashboards of SpecCursor, the AI upgrade service."""
