"""Which alerts the files in simulator/series make fire; the program `platform-faults` exposes those series."""

import functools

from ops.errors import OpsError
from simulator.systems import series_files

PROBE = f'up{{app="{series_files.APP}"}}'
"""A gauge that says the program is scraped."""


@functools.cache
def load() -> series_files.Series:
    """What the files say. Raises OpsError when they are wrong."""
    try:
        return series_files.load()
    except series_files.SeriesError as error:
        raise OpsError(str(error)) from error


def makes(alert: str) -> bool:
    """Whether series make this alert fire. Raises OpsError when the files are wrong."""
    return alert in load().alerts
