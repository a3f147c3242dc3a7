"""Units of Grafana that the dashboards use: its identifiers, under the names that people say."""

COUNT = "short"
"""A number of things; large ones are shown with k and M."""
EXACT = "none"
"""A small number of things, shown as it is."""
SECONDS = "s"
BYTES = "bytes"
"""Powers of 1024."""
BYTES_PER_SECOND = "binBps"
RATIO = "percentunit"
"""0 to 1, shown as per cent."""
PER_SECOND = "cps"
"""Events per second; what is counted stands in the panel's title."""
REQUESTS_PER_SECOND = "reqps"
TEXT = "string"

SCALE = {PER_SECOND: 0.1, REQUESTS_PER_SECOND: 0.1, RATIO: 0.05, EXACT: 1}
"""Unit -> what a graph's scale reaches at least: Grafana draws nothing but zeros on a scale up to 100."""
