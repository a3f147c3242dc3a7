"""Dashboards as pure functions, one folder per system; `make generate` draws their JSON into rendered/.

Every module with a function `build` is a dashboard and needs no registration. Its file is `<uid>.json`, unless its
constant FILE names another. Imports no provider: components read the rendered files.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, cast

Build = Callable[[], dict[str, Any]]


def registry(modules: Iterator[ModuleType]) -> dict[str, Build]:
    """File name without `.json` -> builder of the dashboard, sorted; modules without a builder are skipped.

    Raises ValueError if two modules draw the same file.
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
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        if not module.ispkg:
            yield importlib.import_module(module.name)


DASHBOARDS: Mapping[str, Build] = MappingProxyType(registry(_modules()))
"""File name without `.json` -> builder."""


def render(document: Mapping[str, Any]) -> str:
    """A dashboard's JSON in the committed form: keys are sorted, so that a diff shows only real changes."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
