"""Runs the Pulumi program for any stack: workspace, preview, up, destroy, and what failed."""
