"""Runs the programs of a replay: local/tools/replay-rules and replay-routes."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from local.toolchain import tool
from ops.errors import OpsError


def documents(program: str, arguments: Sequence[str | Path], lines: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The JSON documents that a program prints, one a line. It reads `lines` from its standard input.

    Raises OpsError with its own error if it fails.
    """
    done = subprocess.run(
        [tool(program), *arguments],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise OpsError(f"{program}: {done.stderr.strip().removeprefix('error: ')}")
    return [json.loads(line) for line in done.stdout.splitlines()]
