"""Grafana's identifiers of the units in the dashboards, under readable names."""

COUNT = "short"
"""A count; large values are shortened with k and M."""
EXACT = "none"
"""A small count, never shortened."""
SECONDS = "s"
BYTES = "bytes"
"""Powers of 1024."""
BYTES_PER_SECOND = "binBps"
RATIO = "percentunit"
"""0 to 1, shown as a percentage."""
PER_SECOND = "cps"
"""Events per second; the panel's title names the events."""
REQUESTS_PER_SECOND = "reqps"
TEXT = "string"

SCALE = {PER_SECOND: 0.1, REQUESTS_PER_SECOND: 0.1, RATIO: 0.05, EXACT: 1}
"""Unit -> minimum upper end of a graph's scale. Without it Grafana draws a series of zeros on a scale up to 100."""
