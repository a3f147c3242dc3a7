"""Installs the log index' pipeline and template in OpenSearch, after checking that they take effect there.

Runs in a pod of the platform and needs only Python. Reads `ingest-pipeline.json` and `index-template.json` beside it,
and OPENSEARCH_URL, OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD from the environment; without a user it does not log in.
Changes nothing if an index of this name exists with a conflicting mapping. Exits with 0 if both are installed, else
with 1 and one line for each problem and its remedy.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = "observability-logs"
"""Name of the pipeline and of the template. Their indices are named NAME-*."""

_HERE = Path(__file__).parent
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


class RefusedError(Exception):
    """OpenSearch rejected a request or did not answer. The text is for the operators of the platform."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """HTTP status; 0 without a response."""


class OpenSearch:
    """Client of OpenSearch's HTTP API."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if username:
            login = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 -- JSON
        """The response as JSON. Raises RefusedError with OpenSearch's reason, and OSError without a response."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self._headers, method=method)  # noqa: S310 -- checked
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{method} {path}: {error.code}: {_reason(error)}", error.code) from None

    def wait(self, seconds: float) -> None:
        """Waits until OpenSearch answers. Raises RefusedError after this time, or at once if it rejects the login."""
        deadline = time.monotonic() + seconds
        while problem := self._problem():
            if time.monotonic() > deadline:
                raise RefusedError(f"{self.url} does not answer: {problem}; check opensearchUrl and who may reach it")
            time.sleep(2)

    def _problem(self) -> Exception | None:
        """Why OpenSearch does not answer yet; None if it does."""
        try:
            self.ask("GET", "/")
        except RefusedError as error:
            if error.status in (401, 403):
                hint = "check opensearchUsername and the secret opensearchPassword"
                raise RefusedError(f"{self.url} does not take the login: {error}; {hint}", error.status) from None
            return error
        except OSError as error:
            return error
        return None


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


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        cause = json.loads(text)["error"]
        return str(cause["reason"] if isinstance(cause, dict) else cause)
    except (ValueError, KeyError, TypeError):
        return text[:500] or error.reason


def main() -> int:
    """Returns the exit code."""
    environment = os.environ
    opensearch = OpenSearch(
        environment["OPENSEARCH_URL"],
        environment.get("OPENSEARCH_USERNAME", ""),
        environment.get("OPENSEARCH_PASSWORD", ""),
    )
    pipeline, template = (
        json.loads((_HERE / f"{name}.json").read_text()) for name in ("ingest-pipeline", "index-template")
    )
    try:
        opensearch.wait(float(environment.get("WAIT_SECONDS", "300")))
        apply(opensearch, pipeline, template)
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"log index: nothing more was changed.\n{error}\n")
        return 1
    sys.stdout.write(f"log index: pipeline and template {NAME} are in place\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
