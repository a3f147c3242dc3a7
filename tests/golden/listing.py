"""The resources and outputs of a stack as a list that people read: one line each, nothing that changes by itself."""

from collections.abc import Iterable
from pathlib import Path

from alerting import loader
from dashboards import files
from settings.apps import DATA_SOURCES
from tests.mock_engine import Recorded, Registration

FOLDER = Path(__file__).parent
Identity = tuple[str, str, str]
"""Type, name and parent's name: what makes a resource the one that the engine knows."""


def file(stack: str) -> Path:
    """The committed list of a stack."""
    return FOLDER / f"{stack}.txt"


def listing(recorded: Recorded) -> list[str]:
    """One line for each resource and each output, sorted."""
    outputs = (f"output {name}" for name in recorded.exports)
    return sorted([*(_line(resource) for resource in recorded.resources), *outputs])


def _line(resource: Registration) -> str:
    parts = [resource.type, resource.name, f"parent={resource.parent}"]
    if resource.provider:
        parts.append(f"provider={resource.provider.split('::')[-2]}")
    parts += [word for word, holds in (("protect", resource.protect), ("retain", resource.retain)) if holds]
    # An alias of the type alone is the SDK's own.
    ours = [alias for alias in resource.aliases if alias[1:] != (resource.name, resource.parent)]
    parts += [f"was={','.join(alias)}" for alias in ours]
    return " ".join(parts)


def identities(lines: Iterable[str]) -> set[Identity]:
    """What a list says of each resource's identity."""
    found = (line.split(" ") for line in lines if not line.startswith("output "))
    return {(type_, name, parent.removeprefix("parent=")) for type_, name, parent, *_ in found}


def of_later_systems(lines: Iterable[str]) -> set[str]:
    """Names that follow from the files of systems that a list does not have: adding a system changes no list."""
    known = {name for _, name, _ in identities(lines)}
    later = {name: one for name, one in loader.load().systems.items() if f"dashboards-{name}" not in known}
    shown = [one.uid for one in files.load(DATA_SOURCES) if one.system in later]
    brought = [f"contact-points-{channel}" for one in later.values() for channel in one.channels]
    budgets = [f"workers-{budget}" for one in later.values() for budget in one.disruption_budgets]
    return {*(f"dashboards-{name}" for name in (*later, *shown)), *brought, *budgets}


def lost(lines: Iterable[str], recorded: Recorded) -> set[Identity]:
    """Resources of a list that the engine would delete: neither are they there, nor does an alias lead to them."""
    known = {identity for resource in recorded.resources for identity in _formerly(resource, recorded)}
    return identities(lines) - known


def _formerly(resource: Registration, recorded: Recorded) -> set[Identity]:
    """What the resource is, and was by its own aliases and by those of its parents, which the engine passes on."""
    found: set[Identity] = {(resource.type, resource.name, resource.parent), *resource.aliases}
    for parent in recorded.resources:
        if parent.name == resource.parent and not parent.custom:
            for _, was, _ in _formerly(parent, recorded):
                name = was + resource.name.removeprefix(parent.name)
                found.add((resource.type, name if resource.name.startswith(parent.name) else resource.name, was))
    return found
