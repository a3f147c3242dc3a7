"""Finds the tests that prove each alert, route and mute window, and the gaps."""
