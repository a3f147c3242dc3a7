"""Runs the queries of dashboards and rules on a running stack."""
