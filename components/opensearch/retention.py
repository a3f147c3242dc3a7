"""Index policies of OpenSearch (ISM), which delete indices of traces and of request lines after their retention.

Without them a domain fills up, and then accepts nothing more. A Job puts the policies in place, and again when a
retention changes; it also applies them to indices that exist.
"""

import json
from collections.abc import Mapping
from typing import TypedDict

import pulumi

from components.opensearch.job import LoginArgs, opensearch_job
from settings.sizes import opensearch_hours

APP = "index-retention"


class IndexRetentionArgs(TypedDict):
    """Arguments of IndexRetention."""

    login: LoginArgs
    """The user must be allowed to manage index policies (`cluster:admin/opendistro/ism/*`)."""
    retentions: Mapping[str, str]
    """Name of a policy -> Prometheus duration. A policy counts for the daily indices named NAME-*."""


class IndexRetention(pulumi.ComponentResource):
    """The policies in an existing OpenSearch."""

    def __init__(self, name: str, args: IndexRetentionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:IndexRetention", name, {}, opts)
        ages = {policy: f"{opensearch_hours(retention)}h" for policy, retention in sorted(args["retentions"].items())}
        environment = {"INDEX_AGES": json.dumps(ages)}
        opensearch_job(name, {"app": APP, "program": "apply", "login": args["login"], "environment": environment}, self)
        self.register_outputs({"ages": ages})
