"""Runs the programs of a replay: local/tools/replay-rules and replay-routes."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from local.toolchain import tool
from ops.errors import OpsError

_LONGEST = 15 * 60
"""Seconds after which a program is ended, so that it does not load a server for hours."""


def documents(program: str, arguments: Sequence[str | Path], lines: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The JSON documents that a program prints, one a line. Raises OpsError like `output`."""
    return [json.loads(line) for line in output(program, arguments, lines).splitlines()]


def output(program: str, arguments: Sequence[str | Path], lines: Iterable[str] = ()) -> str:
    """What a program prints. It reads `lines` from its standard input.

    Raises OpsError with its own error if it fails.
    """
    try:
        done = subprocess.run(
            [tool(program), *arguments],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired as error:
        raise OpsError(
            f"{program} takes longer than {_LONGEST // 60} minutes; allowed: a shorter time to replay"
        ) from error
    if done.returncode:
        raise OpsError(f"{program}: {done.stderr.strip().removeprefix('error: ')}")
    return done.stdout
