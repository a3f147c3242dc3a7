"""Repairs the files of a state that an engine was killed while it wrote them."""

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


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True
