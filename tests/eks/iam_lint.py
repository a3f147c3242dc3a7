"""Checks that every policy of the program must pass: the house's own, and those of the linter parliament.

parliament knows which actions there are and which resources each takes; it works offline, from a list of its own.
"""

import json
import warnings
from collections.abc import Collection
from typing import Any

with warnings.catch_warnings():
    # It imports pkg_resources, which warns about itself.
    warnings.simplefilter("ignore")
    import parliament

# Actions for which AWS knows no resource.
WITHOUT_RESOURCE = frozenset({"xray:PutSpans", "xray:PutSpansForIndexing", "xray:PutTraceSegments"})

NEWER = frozenset({"aps:DescribeWorkspaceConfiguration", "aps:UpdateWorkspaceConfiguration"})
"""Actions that are newer than parliament's list. Each is an operation in botocore's model."""


def findings(document: dict[str, Any]) -> list[str]:
    """What is wrong with a policy; a trust or resource policy has principals instead of resources or besides."""
    found = [] if document["Version"] == "2012-10-17" else ["Version: not 2012-10-17"]
    names = [statement.get("Sid") for statement in document["Statement"]]
    if len(set(names)) < len(names) or None in names:
        found.append(f"Sid: not one name for each statement: {names}")
    for statement in document["Statement"]:
        found += [f"{statement['Sid']}: {what}" for what in _statement_findings(statement)]
    return [*found, *_parliament(document)]


def granted(document: dict[str, Any]) -> dict[str, list[str]]:
    """Action -> resources on which it is allowed, by all statements together."""
    found: dict[str, list[str]] = {}
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            for action in statement["Action"]:
                found.setdefault(action, []).extend(statement["Resource"])
    return found


def _statement_findings(statement: dict[str, Any]) -> list[str]:
    found = [f"{key}: not allowed" for key in ("NotAction", "NotResource", "NotPrincipal") if key in statement]
    if statement["Effect"] not in ("Allow", "Deny"):
        found.append(f"Effect: {statement['Effect']!r}")
    if statement["Effect"] == "Allow":
        found += [f"Action: wildcard in {action}" for action in statement["Action"] if "*" in action]
        found += _resource_findings(statement.get("Resource", []), statement["Action"])
    return found


def _resource_findings(resources: list[str], actions: Collection[str]) -> list[str]:
    if resources == ["*"]:
        return [f"Resource: * for {action}" for action in actions if action not in WITHOUT_RESOURCE]
    # `<bucket>/*` is every object of one bucket; any other wildcard is more than one thing.
    return [f"Resource: wildcard in {arn}" for arn in resources if "*" in arn.removesuffix("/*")]


def _parliament(document: dict[str, Any]) -> list[str]:
    if all("Principal" in statement and "Resource" not in statement for statement in document["Statement"]):
        return []  # a role's trust: to parliament, a policy without resource is malformed
    return [
        f"{finding.issue}: {finding.detail}"
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings
    ]
