"""A user of OpenSearch for one program, which may use the program's own indices only.

Without it every program has the login that sets OpenSearch up, which may delete all indices, and make itself any right.
"""

import json
from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi

from components.kubernetes.checksum import slow_hash
from components.opensearch.job import LoginArgs, opensearch_job

WRITES = (
    "indices:data/write/index",
    "indices:data/write/bulk*",
    # Each day has an index of its own, and new fields a mapping.
    "indices:admin/create",
    "indices:admin/auto_create",
    "indices:admin/mapping/put",
    "indices:admin/mapping/auto_put",
)
"""Actions on indices that a program needs to store documents."""


class OpenSearchUserArgs(TypedDict):
    """Arguments of OpenSearchUser."""

    login: LoginArgs
    """The user must be allowed to make users and roles (the API of the plugin opensearch-security)."""
    app: str
    """Name of the Job that makes the user."""
    user: str
    """Name of the user and of its role. Its indices are named user-*."""
    cluster_actions: Sequence[str]
    """What the user may do that no index limits."""
    index_actions: Sequence[str]


class OpenSearchUser(pulumi.ComponentResource):
    """User and role in an existing OpenSearch."""

    login: LoginArgs
    """Login of the user."""
    ready: pulumi.Resource
    """Resource on which the program must depend."""

    def __init__(self, name: str, args: OpenSearchUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:OpenSearchUser", name, {}, opts)
        user, setup = args["user"], args["login"]
        rights = role(user, args["cluster_actions"], args["index_actions"])
        password = pulumi.Output.secret(setup["password"]).apply(lambda known: own_password(known, user))
        self.login = {**setup, "username": user, "password": password}
        self.ready = opensearch_job(
            name,
            {
                "app": args["app"],
                "program": "users",
                "login": setup,
                "environment": {"NEW_USER": user, "ROLE": json.dumps(rights)},
                "secret": {"new-password": password},
                "secret_environment": {"NEW_PASSWORD": "new-password"},
            },
            self,
        )
        self.register_outputs({"user": user})


def role(user: str, cluster_actions: Sequence[str], index_actions: Sequence[str]) -> dict[str, Any]:
    """The role as the security plugin's API takes it: rights on the indices user-* only."""
    return {
        "cluster_permissions": list(cluster_actions),
        "index_permissions": [{"index_patterns": [f"{user}-*"], "allowed_actions": list(index_actions)}],
    }


def own_password(password: str, user: str) -> str:
    """The user's password, made of that of the login which sets OpenSearch up, and changed with it.

    One secret is then enough in the settings, and stacks that share an OpenSearch agree. Whoever has the user's
    password cannot compute the other one. The first characters are what rules for passwords ask for.
    """
    return "Aa1-" + slow_hash(password, salt=f"OpenSearch user {user}").hex()
