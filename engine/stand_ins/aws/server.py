"""Starts the plugin."""

from engine.stand_ins import server
from engine.stand_ins.aws.provider import AwsProvider

VERSION = "7.51.1"
"""The release of the official provider whose resources are served."""


def main() -> None:
    """Serve until the engine ends."""
    server.serve(lambda _notes: AwsProvider(), VERSION)
