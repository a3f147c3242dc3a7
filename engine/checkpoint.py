"""Repairs the files of a state that were cut: by the end of an engine, or by a full disk."""

import json
import shutil
from pathlib import Path


def repair(checkpoint: Path) -> None:
    """Make a stack's checkpoint in a folder readable again; do nothing if it is.

    The engine keeps the checkpoint of the step before as `.bak`, which names the operation that was under way. Beside
    each file it writes attributes, which it does without where there are none.
    """
    for attributes in checkpoint.parent.glob(f"{checkpoint.name}*.attrs"):
        if not _is_json(attributes):
            attributes.unlink()
    before = checkpoint.with_name(checkpoint.name + ".bak")
    if not _is_json(checkpoint) and _is_json(before):
        shutil.copyfile(before, checkpoint)


def tidy(backend: Path, home: Path) -> None:
    """Remove what a full disk leaves: empty files, and files of the engine's home that are cut.

    The engine writes them again. A checkpoint is more than that: see `repair`, which comes first.
    """
    for file in [*backend.rglob("*"), *home.glob("workspaces/*")]:
        if file.is_file() and (file.stat().st_size == 0 or (file.parent.name == "workspaces" and not _is_json(file))):
            file.unlink()


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True
