"""Starts the plugin."""

import os
from pathlib import Path

from local.providers import server
from local.providers.grafana.files import FILES_VARIABLE
from local.providers.grafana.provider import GrafanaProvider

VERSION = "2.44.0"
"""The release of the official provider whose resources are served."""


def main() -> None:
    """Serve until the engine ends."""
    folder = Path(os.environ.get(FILES_VARIABLE) or "grafana-provisioning")
    server.serve(lambda notes: GrafanaProvider(folder, notes), VERSION)
