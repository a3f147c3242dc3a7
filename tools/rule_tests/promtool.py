"""The rules as they are deployed by default, and Prometheus' own tool for rules."""

import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path

from alerting import loader
from alerting.model import Links
from local.toolchain import tool

LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test/")
"""Where the links lead that scenarios expect."""


@functools.cache
def rendered() -> Mapping[str, str]:
    """File name -> YAML of the rules without a stack's overrides."""
    return loader.render(loader.load(), {}, LINKS)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool says of these arguments."""
    return subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False)


def write(files: Mapping[str, str], folder: Path) -> list[Path]:
    """The files in a folder, which is made when it is missing."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def check_rules(files: Mapping[str, str], folder: Path) -> str:
    """What promtool says of rule files, which it must accept without a complaint; they are written to the folder."""
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", *write(files, folder))
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
