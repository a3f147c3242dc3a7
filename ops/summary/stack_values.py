"""A stack's settings of one commit, and which of them may be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ops import environment
from ops.errors import UsageError
from rules.problems import RulesError

HIDDEN = "(not shown)"
_PREFIX = "observability:"
_LOGIN = re.compile(r"(://)[^/@\s]+@")
# The name of a secret elsewhere, which is none itself.
_REFERENCE = "aws-secret:"


@dataclass(frozen=True, kw_only=True)
class StackValues:
    """Settings without the `observability:` before their keys."""

    plain: Mapping[str, Any]
    """Values over the project's defaults; encrypted ones are left out."""
    encrypted: Mapping[str, str]
    """Key -> its encrypted text, to see that it changed."""
    own: frozenset[str]
    """Keys that the stack's own file has."""
    declared: frozenset[str]
    """Keys that Pulumi.yaml declares. Secrets are never among them."""

    def compared(self, key: str) -> tuple[str | None, str | None]:
        """What makes the value another one: its text, and where it is encrypted that text."""
        return (_text(self.plain[key]) if key in self.plain else None), self.encrypted.get(key)

    def shown(self, key: str) -> str:
        """The value as text for people: only of declared keys, and never a login in an address."""
        value = self.plain.get(key)
        if key in self.encrypted or (key not in self.declared and not str(value).startswith(_REFERENCE)):
            return HIDDEN
        return _LOGIN.sub(r"\1…@", _text(value))


def read(folder: Path, stack: str) -> StackValues | None:
    """The stack's settings in a checkout; None where it has no such stack. Raises RulesError for a broken file."""
    try:
        values = environment.load(stack, root=folder).values
        own = _config(folder / f"Pulumi.{stack}.yaml")
        declared = _config(folder / "Pulumi.yaml")
    except UsageError:
        return None
    except yaml.YAMLError as error:
        raise RulesError([f"Pulumi.{stack}.yaml: no valid YAML: {' '.join(str(error).split())}"]) from error
    encrypted = {
        key: str(cast(dict[str, Any], value)["secure"])
        for key, value in own.items()
        if isinstance(value, dict) and "secure" in value
    }
    return StackValues(plain=values, encrypted=encrypted, own=frozenset(own), declared=frozenset(declared))


def _config(file: Path) -> dict[str, Any]:
    document = cast(dict[str, Any], yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}
    config = cast(dict[str, Any], document.get("config") or {})
    return {key.removeprefix(_PREFIX): value for key, value in config.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return "" if value is None else str(value)
