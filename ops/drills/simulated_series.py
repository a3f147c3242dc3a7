"""The alerts that the files in simulator/series make fire; the program `platform-faults` exposes these series."""

import functools

from ops.errors import OpsError
from simulator.systems import series_files

PROBE = f'up{{app="{series_files.APP}"}}'
"""A gauge that exists while the program is scraped."""


@functools.cache
def load() -> series_files.Series:
    """The content of the files. Raises OpsError if they are invalid."""
    try:
        return series_files.load()
    except series_files.SeriesError as error:
        raise OpsError(str(error)) from error


def makes(alert: str) -> bool:
    """Whether simulated series make this alert fire. Raises OpsError if the files are invalid."""
    return alert in load().alerts
