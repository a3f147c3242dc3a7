"""`python -m tools.golden`: checks that the stacks' resources have the names of the lists in tests/golden.

The engine knows a resource by its type, name and parent. It deletes a resource that is gone from the program, and a
renamed one without an alias is gone. A list has one line for each resource and output, and nothing that changes by
itself.
"""

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from alerting import loader
from alerting.files import ROOT
from dashboards import files
from settings.apps import DATA_SOURCES
from tools.recording.engine import Recorded, Registration
from tools.recording.program import STACKS, run_stack

FOLDER = ROOT / "tests" / "golden"
Identity = tuple[str, str, str]
"""Type, name and parent's name of a resource."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit code: 1 if a list differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lists")
    parser.add_argument("--removed", action="append", default=[], help="name of a resource that is meant to be deleted")
    options = parser.parse_args(arguments)
    found: list[str] = []
    for stack in STACKS:
        runs = [run_stack(stack, preview=preview) for preview in (False, True)]
        gone = [problem for run in runs for problem in lost_problems(stack, run, options.removed)]
        if options.write and not gone:
            _file(stack).write_text("\n".join(listing(runs[0])) + "\n", encoding="utf-8")
        found += gone or [problem for run in runs for problem in difference_problems(stack, run)]
    for problem in dict.fromkeys(found):
        print(problem)
    return 1 if found else 0


def committed(stack: str) -> list[str]:
    """The lines of a stack's list; empty if there is none."""
    return _file(stack).read_text(encoding="utf-8").splitlines() if _file(stack).exists() else []


def lost_problems(stack: str, recorded: Recorded, removed: Collection[str] = ()) -> list[str]:
    """One line for each resource of the list that the engine would delete, except those named in `removed`."""
    return [
        f"{stack}: the engine would delete {name} ({kind}), because it was renamed or moved without an alias, or "
        "removed; allowed: aliases=[Alias(name=...)] for the new name, or make golden ARGS='--write --removed NAME'"
        for kind, name, _ in sorted(lost(committed(stack), recorded))
        if name not in removed
    ]


def difference_problems(stack: str, recorded: Recorded) -> list[str]:
    """One line for each line that only the list or only the program has."""
    before = committed(stack)
    later = of_later_systems(before)
    now = [line for line in listing(recorded) if line.split(" ")[1] not in later]
    sides = (("missing in the list", set(now) - set(before)), ("only in the list", set(before) - set(now)))
    return [
        f"{stack}: {what}: {line}; to accept it: make golden ARGS=--write"
        for what, lines in sides
        for line in sorted(lines)
    ]


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
    """The identity of each resource in a list."""
    found = (line.split(" ") for line in lines if not line.startswith("output "))
    return {(type_, name, parent.removeprefix("parent=")) for type_, name, parent, *_ in found}


def of_later_systems(lines: Iterable[str]) -> set[str]:
    """Names that follow from the files of systems that the list does not have: adding a system changes no list."""
    known = {name for _, name, _ in identities(lines)}
    later = {name: one for name, one in loader.load().systems.items() if f"dashboards-{name}" not in known}
    shown = [one.uid for one in files.load(DATA_SOURCES) if one.system in later]
    brought = [f"contact-points-{channel}" for one in later.values() for channel in one.channels]
    budgets = [f"workers-{budget}" for one in later.values() for budget in one.disruption_budgets]
    return {*(f"dashboards-{name}" for name in (*later, *shown)), *brought, *budgets}


def lost(lines: Iterable[str], recorded: Recorded) -> set[Identity]:
    """Resources of a list that the engine would delete, because they are gone and no alias leads to them."""
    known = {identity for resource in recorded.resources for identity in _formerly(resource, recorded)}
    return identities(lines) - known


def _formerly(resource: Registration, recorded: Recorded) -> set[Identity]:
    """The resource's identities: its own, those of its aliases, and those of its parents' aliases."""
    found: set[Identity] = {(resource.type, resource.name, resource.parent), *resource.aliases}
    for parent in recorded.resources:
        if parent.name == resource.parent and not parent.custom:
            for _, was, _ in _formerly(parent, recorded):
                name = was + resource.name.removeprefix(parent.name)
                found.add((resource.type, name if resource.name.startswith(parent.name) else resource.name, was))
    return found


def _file(stack: str) -> Path:
    return FOLDER / f"{stack}.txt"


if __name__ == "__main__":
    sys.exit(main())
