"""Draws every generated file of the repository: `python -m tools.generate`."""
