"""Reads the stack files, Pulumi.<stack>.yaml, and the defaults in Pulumi.yaml. No other module does."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml

from alerting.files import ROOT, read_yaml
from alerting.problems import RulesError
from settings import parsing
from settings.parsing import PROJECT
from settings.values import Values

EXAMPLE = "example"
"""Name of the stack file that people copy. It belongs to no stack, and can be read like the others."""
_PREFIX = f"{PROJECT}:"


class StackFileError(ValueError):
    """A stack file cannot be read. The message names the file."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The configuration of one stack. Keys lack their prefix `observability:`."""

    stack: str
    defaults: Mapping[str, Any]
    """Key -> default in Pulumi.yaml."""
    own: Mapping[str, Any]
    """Key -> plain value in the stack's own file."""
    encrypted: Mapping[str, str]
    """Key -> ciphertext in the stack's own file."""
    declared: frozenset[str]
    """Keys that Pulumi.yaml declares."""

    @property
    def values(self) -> dict[str, Any]:
        """The defaults, overridden by the stack's plain values."""
        return {**self.defaults, **self.own}


def names(root: Path = ROOT) -> list[str]:
    """Names of the stacks that have a file, without the example."""
    return sorted({file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml")} - {EXAMPLE})


def read(stack: str, root: Path = ROOT) -> StackFile:
    """Reads a stack's file and the defaults. A missing file has no values. Raises StackFileError."""
    project, own = _config(root / "Pulumi.yaml"), _config(root / f"Pulumi.{stack}.yaml")
    secure = {key: str(value["secure"]) for key, value in own.items() if _has(value, "secure")}
    return StackFile(
        stack=stack,
        defaults={key: value["default"] for key, value in project.items() if _has(value, "default")},
        own={key: value for key, value in own.items() if key not in secure},
        encrypted=secure,
        declared=frozenset(project),
    )


@functools.cache
def defaults() -> Mapping[str, Any]:
    """Key -> default in this project's Pulumi.yaml, read once."""
    return read("").defaults


def typed(written: Mapping[str, Any]) -> Values:
    """The values of a StackFile with their types.

    Each value is checked alone. Unknown keys and secrets are ignored. Raises StackFileError with every problem.
    """
    found, problems = parsing.each_value(parsing.typed({key: as_text(value) for key, value in written.items()}))
    if found is None:
        raise StackFileError("\n".join(problems))
    return found


def as_text(value: object) -> str:
    """A value of a stack file as the engine hands it to the program: a text as it is, anything else as JSON.

    A key without a value is an empty text, which means "not set".
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def document(file: Path) -> dict[str, Any]:
    """The YAML of a project or stack file; empty if the file is missing. Raises StackFileError.

    A key that stands twice is refused, and one whose prefix is nearly that of the project: Pulumi ignores it.
    """
    if not file.exists() and not file.is_symlink():
        return {}
    try:
        content = read_yaml(file, file.name) or {}
    except RulesError as error:
        raise StackFileError("\n".join(error.problems)) from error
    if not isinstance(content, dict):
        raise StackFileError(f"{file.name}: must be a mapping")
    found = cast(dict[str, Any], content)
    if problems := [*_prefix_problems(file, found.get("config")), *_repeated(file, found.get("config"))]:
        raise StackFileError("\n".join(problems))
    return found | {"config": _as_written(file, found["config"])} if isinstance(found.get("config"), dict) else found


def _as_written(file: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The values, with fractions as texts: the version 1.30 is not 1.3."""
    if not any(isinstance(value, float) for value in config.values()):
        return config
    document: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    nodes = next(value.value for key, value in document.value if key.value == "config")
    texts = {key.value: value.value for key, value in nodes}
    return {key: texts.get(key, value) if isinstance(value, float) else value for key, value in config.items()}


def _prefix_problems(file: Path, config: object) -> Iterator[str]:
    for key in cast(dict[object, Any], config) if isinstance(config, dict) else ():
        prefix, colon, name = str(key).partition(":")
        if colon and prefix != PROJECT and get_close_matches(prefix.lower(), [PROJECT], n=1, cutoff=0.8):
            yield f"{file.name}: config.{key}: unknown prefix {prefix}; did you mean {_PREFIX}{name}?"


def _repeated(file: Path, config: object) -> Iterator[str]:
    keys = [str(key) for key in cast(dict[object, Any], config)] if isinstance(config, dict) else []
    for key in keys:
        if f"{_PREFIX}{key}" in keys:
            yield f"{file.name}: config.{key}: is also there as {_PREFIX}{key}; allowed: once"


def _config(file: Path) -> dict[str, Any]:
    config: object = document(file).get("config") or {}
    if not isinstance(config, dict):
        raise StackFileError(f"{file.name}: config: must be a mapping")
    return {str(key).removeprefix(_PREFIX): value for key, value in cast(dict[str, Any], config).items()}


def _has(value: object, key: str) -> bool:
    return isinstance(value, dict) and key in value
