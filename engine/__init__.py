"""Runs the Pulumi program for any stack: workspace, preview, up, refresh, destroy, drift and error reports."""
