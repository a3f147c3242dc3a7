"""Whom each alert must reach: the cases of routes.yaml, and of routes/<system>.yaml, which a system brings with it."""

from pathlib import Path
from typing import Any

from rules.files import read_yaml

FOLDER = Path(__file__).parent


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Every case, {alert or labels, receivers}."""
    files = [folder / "routes.yaml", *sorted((folder / "routes").glob("*.yaml"))]
    return [case for file in files for case in read_yaml(file, file.name)]
