"""The expected receivers of each alert: the cases in routes.yaml and in each system's routes/<system>.yaml."""

from pathlib import Path
from typing import Any, cast

from alerting.files import read_yaml
from tools.rule_tests import FOLDER


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All cases, each with `alert` or `labels`, and `receivers`."""
    files = [folder / "routes.yaml", *sorted((folder / "routes").glob("*.yaml"))]
    return [case for file in files for case in cast(list[dict[str, Any]], read_yaml(file, file.name))]
