"""The log index: the log lines of requests in OpenSearch, searchable by request id, project and service.

It is a second copy for look-ups; Loki has every line. The ingest pipeline builds a document, and the index template
types its fields. A Job installs both before the gateways send the first line. components/opensearch/retention.py
deletes old days.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import pulumi

from components.kubernetes.checksum import checksum
from components.opensearch.job import LoginArgs, opensearch_job
from components.opensearch.user import OpenSearchUser

APP = "log-index"
NAME = "observability-logs"
"""Name of the pipeline and of the template. Indices are named NAME-2026.11.21."""
CLUSTER_ACTIONS = ("indices:data/write/bulk",)
"""What the gateways do in OpenSearch that no index limits: it stores a single document as a bulk of one."""
AUTHORIZATION_KEY = "authorization"
"""Key in the Secret of the Authorization header that the gateways send."""

_FILES = ("index-template.json", "ingest-pipeline.json")


@dataclass(frozen=True, kw_only=True)
class LogIndexTarget:
    """The destination to which gateways send lines."""

    endpoint: pulumi.Output[str]
    """URL that accepts one line in each request."""
    secret: str
    """Name of the Secret that has AUTHORIZATION_KEY."""
    secret_checksum: pulumi.Output[str]
    """Changes with the Secret, which the gateways read only when they start."""
    ready: Sequence[pulumi.Resource]
    """Resources that the gateways must depend on. OpenSearch would permanently reject lines that are sent earlier."""


class LogIndexArgs(TypedDict):
    """Arguments of LogIndex."""

    login: LoginArgs
    """May install pipelines and templates."""
    user: NotRequired[OpenSearchUser | None]
    """User of the gateways. None, or absent: they use `login`."""


class LogIndex(pulumi.ComponentResource):
    """Pipeline, template and login of the log index in an existing OpenSearch."""

    target: LogIndexTarget

    def __init__(self, name: str, args: LogIndexArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:LogIndex", name, {}, opts)
        setup, user = args["login"], args.get("user")
        writer = user.login if user else setup
        url = pulumi.Output.from_input(setup["url"]).apply(lambda text: text.rstrip("/"))
        login = pulumi.Output.all(writer["username"], writer["password"])
        ready = opensearch_job(
            name,
            {
                "app": APP,
                "program": "apply",
                "login": {**setup, "url": url},
                "files": _FILES,
                "secret": {AUTHORIZATION_KEY: pulumi.Output.secret(login.apply(_basic))},
            },
            self,
        )
        # Lines that the pipeline cannot parse stay in this index; all others move to the index of their day. The
        # template names the pipeline, and this URL does not: for a moment after a full cluster restart, OpenSearch does
        # not apply either, and would permanently reject a request that names the pipeline. Without the name it stores
        # the line unparsed; docs/operations.md describes how to parse it later. `op_type=index` is set because a second
        # delivery would otherwise be a conflict and count as lost.
        endpoint = pulumi.Output.concat(url, f"/{NAME}-unparsed/_doc?op_type=index")
        self.target = LogIndexTarget(
            endpoint=endpoint,
            secret=APP,
            secret_checksum=checksum(login.apply(_basic), salt=name),
            ready=(ready, *([user.ready] if user else [])),
        )
        self.register_outputs({"endpoint": endpoint})


def _basic(login: Sequence[str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
