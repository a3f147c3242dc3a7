"""Starts the plugin."""

from local.providers import server
from local.providers.aws.provider import AwsProvider

VERSION = "7.51.1"
"""The release of the official provider whose resources are served."""


def main() -> None:
    """Serve until the engine ends."""
    server.serve(lambda _notes: AwsProvider(), VERSION)
