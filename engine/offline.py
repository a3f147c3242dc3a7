"""Prepares a preview without cluster, account and secrets, for pull requests of forks and for work without a network.

With the setting `offlinePreview`, the program makes no calls to AWS or the cluster, and uses a well-formed placeholder
for a secret that is a reference (`aws-secret:…`). This module replaces encrypted values by such references.
"""

from typing import Any, cast

CONFIG = {"observability:offlinePreview": "true"}
"""Settings of an offline preview, which override those of the stack file."""
_REFERENCE = "aws-secret:offline"
ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""Keys of a stack file that describe how its secrets are encrypted."""

Document = dict[str, Any]


def readable(stack_file: Document) -> Document:
    """A copy of a stack file without encrypted values, which needs no passphrase or key."""
    config = cast(Document, stack_file.get("config") or {})
    plain = {key: _REFERENCE if _encrypted(value) else value for key, value in config.items()}
    return {**{key: value for key, value in stack_file.items() if key not in ENCRYPTION}, "config": plain}


def _encrypted(value: object) -> bool:
    return isinstance(value, dict) and "secure" in value
