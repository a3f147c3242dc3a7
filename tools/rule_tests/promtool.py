"""The rules without a stack's overrides, and promtool, Prometheus' tool for rules."""

import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alerting import counting, loader
from alerting.model import Links
from local.toolchain import tool

LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test/")
"""Base URLs of the links that scenarios expect."""


@functools.cache
def rendered() -> Mapping[str, str]:
    """Maps file names to the YAML of the rules as they are written, without a stack's overrides; see `deployed`."""
    return loader.render(loader.load(), {}, LINKS, interval=None)


def deployed(document: Mapping[str, Any], interval: str) -> dict[str, Any]:
    """A parsed rule file as Prometheus runs it at this interval, which must be that of the scenarios."""
    groups = [{**group, "interval": interval} for group in document["groups"]]  # promtool ignores their own
    return {**document, "groups": counting.deployed(groups, interval)}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs promtool with these arguments."""
    return subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False)


def write(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the files to a folder, which is created if it is missing. Returns their paths."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def check_rules(files: Mapping[str, str], folder: Path) -> str:
    """Promtool's output on rule files, which are written to the folder and must pass without a complaint."""
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", *write(files, folder))
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
