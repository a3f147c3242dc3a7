"""What makes a preview possible without cluster, account and secrets: in pull requests of forks, on a train.

The program's own part is the setting `offlinePreview`: AWS is asked nothing, the cluster leads nowhere, and a secret
that is a reference (`aws-secret:…`) gets a value of the right form. Here, what is encrypted becomes such a reference.
"""

from typing import Any, cast

CONFIG = {"observability:offlinePreview": "true"}
"""Settings of an offline preview, over those of the stack file."""
_REFERENCE = "aws-secret:offline"
ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""What a stack file says of how its secrets are encrypted."""

Document = dict[str, Any]


def readable(stack_file: Document) -> Document:
    """A stack file without anything encrypted: nobody's passphrase or key is needed for it."""
    config = cast(Document, stack_file.get("config") or {})
    plain = {key: _REFERENCE if _encrypted(value) else value for key, value in config.items()}
    return {**{key: value for key, value in stack_file.items() if key not in ENCRYPTION}, "config": plain}


def _encrypted(value: object) -> bool:
    return isinstance(value, dict) and "secure" in value
