"""Dashboards as pure functions, a folder per system, and their JSON in rendered/; `python -m dashboards` renders all.

A module here with a function `build` is a dashboard; nothing else has to name it. Its file is `<uid>.json`, or what its
constant FILE says. Imports no provider: components read the rendered files.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, cast

FOLDER = Path(__file__).parent / "rendered"

Build = Callable[[], dict[str, Any]]


def registry(modules: Iterator[ModuleType]) -> dict[str, Build]:
    """File name without `.json` -> builder of that dashboard, by name; modules without a builder are passed over.

    Raises ValueError where two modules draw the same file.
    """
    found: dict[str, Build] = {}
    owners: dict[str, str] = {}
    for module in modules:
        build = cast(Build | None, getattr(module, "build", None))
        if build is None:
            continue
        stem = str(getattr(module, "FILE", None) or build()["uid"])
        if stem in owners:
            raise ValueError(f"{module.__name__}: draws {stem}.json, as {owners[stem]} does; each needs its own uid")
        owners[stem] = module.__name__
        found[stem] = build
    return dict(sorted(found.items()))


def _modules() -> Iterator[ModuleType]:
    for one in pkgutil.walk_packages(__path__, f"{__name__}."):
        if not one.ispkg and not one.name.endswith(".__main__"):
            yield importlib.import_module(one.name)


DASHBOARDS: Mapping[str, Build] = MappingProxyType(registry(_modules()))
"""File name without `.json` -> its builder."""


def render(document: Mapping[str, Any]) -> str:
    """A dashboard as it is committed: sorted keys, so that a diff shows only what changed."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
