"""A stack's settings in one commit, and which of them may be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from alerting.problems import RulesError
from settings import stack_files
from settings.stack_files import StackFileError

HIDDEN = "(not shown)"
_LOGIN = re.compile(r"(://)[^/@\s]+@")
# Prefix of a reference to a secret in AWS, which is not secret itself.
_REFERENCE = "aws-secret:"


@dataclass(frozen=True, kw_only=True)
class StackValues:
    """Settings by key, without the prefix `observability:`."""

    plain: Mapping[str, Any]
    """Unencrypted values, merged over the project's defaults."""
    encrypted: Mapping[str, str]
    """Maps keys to ciphertexts, which show whether the value changed."""
    own: frozenset[str]
    """Keys in the stack's own file."""
    declared: frozenset[str]
    """Keys that Pulumi.yaml declares, which are never secrets."""

    def compared(self, key: str) -> tuple[str | None, str | None]:
        """What decides whether the value changed: its plain text, or its ciphertext if it is encrypted."""
        return (_text(self.plain[key]) if key in self.plain else None), self.encrypted.get(key)

    def shown(self, key: str) -> str:
        """The value as text, or HIDDEN if its key is not declared; replaces logins in addresses."""
        value = self.plain.get(key)
        if key in self.encrypted or (key not in self.declared and not str(value).startswith(_REFERENCE)):
            return HIDDEN
        return _LOGIN.sub(r"\1…@", _text(value))


def read(folder: Path, stack: str) -> StackValues | None:
    """The stack's settings in a checkout; None if it has no such stack. Raises RulesError for an unreadable file."""
    if stack not in stack_files.names(folder):
        return None
    try:
        found = stack_files.read(stack, folder)
    except StackFileError as error:
        raise RulesError([str(error)]) from error
    own = frozenset(found.own) | frozenset(found.encrypted)
    return StackValues(plain=found.values, encrypted=found.encrypted, own=own, declared=found.declared)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return "" if value is None else str(value)
