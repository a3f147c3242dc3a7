"""Sets up OpenSearch: either the log index, or index policies that delete old indices.

Runs in a pod of the platform and needs only Python. Environment: that of client.connected. Exits with 0 if everything
is installed, else with 1 and one line for each problem and its remedy.

With INDEX_AGES, a JSON object of policies and ages such as {"observability-jaeger": "192h"}, it installs a policy for
each: it deletes indices named observability-jaeger-* at this age, also those that exist. It changes nothing if one of
them has another policy.

Without INDEX_AGES it installs the log index' pipeline and template (`ingest-pipeline.json`, `index-template.json`
beside it), after checking that they take effect. It changes nothing if an index of this name has a conflicting mapping.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .client import OpenSearch, RefusedError, connected

NAME = "observability-logs"
"""Name of the pipeline and of the template. Their indices are named NAME-*."""

_ISM = "/_plugins/_ism"
_HERE = Path(__file__).parent
_FILES = ("ingest-pipeline.json", "index-template.json")
_SAMPLE = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service", "value": {"stringValue": "sample"}}]},
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": "0",
                            "body": {"stringValue": '{"message": "hello"}'},
                            "attributes": [{"key": "request_id", "value": {"stringValue": "r-1"}}],
                        }
                    ]
                }
            ],
        }
    ]
}


def apply(opensearch: OpenSearch, pipeline: Mapping[str, Any], template: Mapping[str, Any]) -> None:
    """Installs both. Raises RefusedError with every problem; problems with existing indices prevent any change."""
    wanted: Mapping[str, Any] = template["template"]["mappings"]["properties"]
    problems = list(mapping_problems(opensearch, wanted)) + list(pipeline_problems(opensearch, pipeline))
    if problems:
        raise RefusedError("\n".join(problems))
    opensearch.ask("PUT", f"/_ingest/pipeline/{NAME}", pipeline)
    # OpenSearch rejects the template if another one of the same priority matches the same names.
    opensearch.ask("PUT", f"/_index_template/{NAME}", template)
    simulated = opensearch.ask("POST", f"/_index_template/_simulate_index/{NAME}-2000.01.01")
    effective = simulated["template"].get("mappings", {}).get("properties", {})
    stronger = "a stronger index template of yours would make {}; give it a lower priority than 500"
    if problems := [stronger.format(line) for line in differences(wanted, effective)]:
        raise RefusedError("\n".join(problems))


def mapping_problems(opensearch: OpenSearch, wanted: Mapping[str, Any]) -> Iterator[str]:
    """One line for each field of a NAME-* index that has another type. The mapping of an index cannot be changed."""
    for index, existing in sorted(opensearch.ask("GET", f"/{NAME}-*/_mapping").items()):
        for line in differences(wanted, existing["mappings"].get("properties", {})):
            yield (
                f"index {index} is there already, with another mapping: {line}; reindex it under a name that does not "
                f"begin with {NAME}-, or delete it, then run `pulumi up` again"
            )


def differences(wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> Iterator[str]:
    """Fields whose existing type is not the wanted one. Missing fields are no difference."""
    for field, properties in wanted.items():
        if field in existing and (type_ := existing[field].get("type", "object")) != properties["type"]:
            yield f"{field} as {type_}, where {properties['type']} is needed"


def pipeline_problems(opensearch: OpenSearch, pipeline: Mapping[str, Any]) -> Iterator[str]:
    """Reasons why this OpenSearch cannot run the pipeline, such as a missing module."""
    sample = {"pipeline": pipeline, "docs": [{"_index": f"{NAME}-sample", "_source": _SAMPLE}]}
    try:
        if not opensearch.ask("GET", "/_nodes/ingest:true")["_nodes"]["total"]:
            yield "no node of this OpenSearch runs pipelines; give one the role `ingest`"
        (answer,) = opensearch.ask("POST", "/_ingest/pipeline/_simulate", sample)["docs"]
    except RefusedError as error:
        yield f"the pipeline does not run here: {error}"
        return
    source = answer.get("doc", {}).get("_source", {})
    if source.get("message") != "hello" or source.get("request_id") != "r-1":
        yield f"the pipeline gives a different document for the sample log line: {json.dumps(answer)[:500]}"


def apply_policies(opensearch: OpenSearch, ages: Mapping[str, str]) -> None:
    """Installs a policy for each name. Raises RefusedError with every problem; other policies prevent any change."""
    managed = {name: managed_indices(opensearch, name) for name in ages}
    foreign = "index {} has the policy {} already; remove that policy from it, or set opensearchPolicies to false"
    if problems := [
        foreign.format(index, policy)
        for name, indices in managed.items()
        for index, policy in sorted(indices.items())
        if policy not in (None, name)
    ]:
        raise RefusedError("\n".join(problems))
    for name, age in ages.items():
        opensearch.ask("PUT", f"{_ISM}/policies/{name}{_version(opensearch, name)}", policy_document(name, age))
        # A policy counts for new indices only, and an index keeps the version of the policy that it began with.
        for action, indices in (
            ("add", [index for index, policy in managed[name].items() if policy is None]),
            ("change_policy", [index for index, policy in managed[name].items() if policy == name]),
        ):
            _assign(opensearch, action, sorted(indices), name)


def policy_document(name: str, age: str) -> Mapping[str, Any]:
    """The policy that deletes each index NAME-* at this age."""
    deletes = {"state_name": "deleted", "conditions": {"min_index_age": age}}
    return {
        "policy": {
            "description": f"managed-by observability: deletes {name}-* after {age}",
            "default_state": "kept",
            "states": [
                {"name": "kept", "actions": [], "transitions": [deletes]},
                {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{name}-*"], "priority": 100}],
        }
    }


def managed_indices(opensearch: OpenSearch, name: str) -> dict[str, str | None]:
    """Index NAME-* -> name of its policy; None without one. Raises RefusedError if OpenSearch has no policies."""
    indices = [row["index"] for row in opensearch.ask("GET", f"/_cat/indices/{name}-*?format=json&h=index")]
    try:
        opensearch.ask("GET", f"{_ISM}/policies?size=1")
        explained = opensearch.ask("GET", f"{_ISM}/explain/{name}-*") if indices else {}
    except RefusedError as error:
        raise RefusedError(
            f"index policies are not available: {error}; give OpenSearch the plugin opensearch-index-management and "
            "opensearchUsername the right cluster:admin/opendistro/ism/*, or set opensearchPolicies to false"
        ) from None
    return {index: explained.get(index, {}).get("index.plugins.index_state_management.policy_id") for index in indices}


def _version(opensearch: OpenSearch, name: str) -> str:
    """The query of a request that replaces the policy; empty if there is none."""
    try:
        existing = opensearch.ask("GET", f"{_ISM}/policies/{name}")
    except RefusedError as error:
        if error.status == 404:
            return ""
        raise
    return f"?if_seq_no={existing['_seq_no']}&if_primary_term={existing['_primary_term']}"


def _assign(opensearch: OpenSearch, action: str, indices: Sequence[str], policy: str) -> None:
    # A URL has at most 4 KiB in OpenSearch, and a name is shorter than 64 characters.
    for first in range(0, len(indices), 50):
        names = ",".join(indices[first : first + 50])
        answer = opensearch.ask("POST", f"{_ISM}/{action}/{names}", {"policy_id": policy})
        if failed := answer["failed_indices"]:
            lines = [f"index {one['index_name']} does not get the policy {policy}: {one['reason']}" for one in failed]
            raise RefusedError("\n".join(lines))


def main() -> int:
    """Returns the exit code."""
    ages = json.loads(os.environ.get("INDEX_AGES", "{}"))
    subject = "index policies" if ages else "log index"
    try:
        files = [] if ages else [json.loads((_HERE / name).read_text()) for name in _FILES]
        opensearch = connected()
        if ages:
            apply_policies(opensearch, ages)
        else:
            apply(opensearch, *files)
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"{subject}: nothing more was changed.\n{error}\n")
        return 1
    done = ", ".join(f"{name} {age}" for name, age in ages.items()) or f"pipeline and template {NAME}"
    sys.stdout.write(f"{subject}: {done} are in place\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
