"""Starts the plugin."""

from local.providers import server
from local.providers.kubernetes.provider import KubernetesProvider

VERSION = "4.34.2"
"""The release of the official provider whose behaviour is followed."""


def main() -> None:
    """Serve until the engine ends."""
    server.serve(lambda _notes: KubernetesProvider(), VERSION)
