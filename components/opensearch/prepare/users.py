"""Gives a program a user of its own in OpenSearch, with a role of the same name that has rights on its indices only.

Runs in a pod of the platform and needs only Python. Environment: that of client.connected, NEW_USER, NEW_PASSWORD and
ROLE (JSON, as the security plugin's API takes it). A second run gives the user the new password and the new rights.
Exits with 0 if the user is in place, else with 1 and the problem with its remedy.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from .client import OpenSearch, RefusedError, connected

_API = "/_plugins/_security/api"
OURS = {"managed-by": "observability"}
"""Attributes of the users that this program makes. It changes no others."""


def apply_user(opensearch: OpenSearch, user: str, password: str, role: Mapping[str, Any]) -> None:
    """Makes or updates role and user. Raises RefusedError, before it changes anything, if the user is another's."""
    existing = _existing(opensearch, user)
    if existing is not None and existing.get("attributes") != OURS:
        raise RefusedError(
            f"user {user} is there already, and not made by this program; delete it, or set opensearchUsers to false"
        )
    opensearch.ask("PUT", f"{_API}/roles/{user}", role)
    wanted = {"password": password, "opendistro_security_roles": [user], "attributes": OURS}
    opensearch.ask("PUT", f"{_API}/internalusers/{user}", wanted)


def _existing(opensearch: OpenSearch, user: str) -> Mapping[str, Any] | None:
    try:
        # Answers 404 for a user that is not there, but something else where nobody may ask.
        return opensearch.ask("GET", f"{_API}/internalusers/{user}")[user]
    except RefusedError as error:
        if error.status == 404:
            return None
        raise RefusedError(
            f"users cannot be made: {error}; give OpenSearch the plugin opensearch-security and opensearchUsername a "
            "role that may use its API, or set opensearchUsers to false"
        ) from None


def main() -> int:
    """Returns the exit code."""
    user = os.environ["NEW_USER"]
    try:
        apply_user(connected(), user, os.environ["NEW_PASSWORD"], json.loads(os.environ["ROLE"]))
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"user {user}: nothing more was changed.\n{error}\n")
        return 1
    sys.stdout.write(f"user {user} is in place\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
