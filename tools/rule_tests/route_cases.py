"""Whom each alert must reach: the cases of routes.yaml, and of routes/<system>.yaml, which a system brings with it."""

from pathlib import Path
from typing import Any, cast

from alerting.files import read_yaml

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "rules"


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Every case, {alert or labels, receivers}."""
    files = [folder / "routes.yaml", *sorted((folder / "routes").glob("*.yaml"))]
    return [case for file in files for case in cast(list[dict[str, Any]], read_yaml(file, file.name))]
