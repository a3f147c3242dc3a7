"""The only reader of the stack files, Pulumi.<stack>.yaml, and of the defaults in Pulumi.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from settings.parsing import PROJECT

ROOT = Path(__file__).resolve().parent.parent
_PREFIX = f"{PROJECT}:"


class StackFileError(ValueError):
    """A stack file that cannot be read; the text names the file."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """What is written for one stack, without the `observability:` before the keys."""

    stack: str
    defaults: Mapping[str, Any]
    """Key -> default of Pulumi.yaml."""
    own: Mapping[str, Any]
    """Key -> plain value of the stack's own file."""
    encrypted: Mapping[str, str]
    """Key -> ciphertext of the stack's own file."""
    declared: frozenset[str]
    """Keys that Pulumi.yaml declares."""

    @property
    def values(self) -> dict[str, Any]:
        """The plain values over the defaults."""
        return {**self.defaults, **self.own}


def names(root: Path = ROOT) -> list[str]:
    """The stacks that have a file."""
    return sorted(file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml"))


def read(stack: str, root: Path = ROOT) -> StackFile:
    """A stack's file and the defaults; a file that is missing has no values. Raises StackFileError."""
    project, own = _config(root / "Pulumi.yaml"), _config(root / f"Pulumi.{stack}.yaml")
    secure = {key: str(value["secure"]) for key, value in own.items() if _has(value, "secure")}
    return StackFile(
        stack=stack,
        defaults={key: value["default"] for key, value in project.items() if _has(value, "default")},
        own={key: value for key, value in own.items() if key not in secure},
        encrypted=secure,
        declared=frozenset(project),
    )


def document(file: Path) -> dict[str, Any]:
    """The YAML of a project or stack file; empty if it is missing. Raises StackFileError."""
    try:
        found: object = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StackFileError(f"{file.name}: no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise StackFileError(f"{file.name}: must be a mapping")
    return cast(dict[str, Any], found)


def _config(file: Path) -> dict[str, Any]:
    found: object = document(file).get("config") or {}
    if not isinstance(found, dict):
        raise StackFileError(f"{file.name}: config: must be a mapping")
    return {str(key).removeprefix(_PREFIX): value for key, value in cast(dict[str, Any], found).items()}


def _has(value: object, key: str) -> bool:
    return isinstance(value, dict) and key in value
