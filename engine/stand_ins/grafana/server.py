"""Starts the stand-in for the `grafana` plugin."""

import os
from pathlib import Path

from engine.stand_ins import server
from engine.stand_ins.grafana.files import FILES_VARIABLE
from engine.stand_ins.grafana.provider import GrafanaProvider

VERSION = "2.44.0"
"""The release of the official provider whose resources this stand-in supports."""


def main() -> None:
    """Serve until the engine ends."""
    folder = Path(os.environ.get(FILES_VARIABLE) or "grafana-provisioning")
    server.serve(lambda notes: GrafanaProvider(folder, notes), VERSION)
