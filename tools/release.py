"""What a tag releases: `python -m tools.release v0.2.0 --notes FILE` checks the tag and writes the release's notes."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from alerting.files import ROOT


class ReleaseError(ValueError):
    """The tag, the version and the changelog do not agree. The message names the file."""


def notes(tag: str, root: Path = ROOT) -> str:
    """The changelog's section of the release that a tag names. Raises ReleaseError."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if tag != f"v{version}":
        raise ReleaseError(f"{tag}: not allowed; allowed: v{version}, the version in pyproject.toml")
    heading = re.compile(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
    )
    found = heading.search((root / "CHANGELOG.md").read_text())
    if not found or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md: the section `## [{version}] - YYYY-MM-DD` is missing or empty")
    return found[1].strip() + "\n"


def main(
    tag: Annotated[str, typer.Argument(help="The tag, v and the version.")],
    file: Annotated[Path, typer.Option("--notes", help="File for the section of the changelog.")],
) -> None:
    """Check that a tag names the version of this checkout, and write the notes of its release."""
    try:
        file.write_text(notes(tag))
    except ReleaseError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
