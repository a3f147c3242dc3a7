"""The log index: the lines of requests in an OpenSearch, found by request id, project and service.

It is a second copy for looking things up: Loki has every line. The pipeline that shapes a document and the template
that gives its fields their types stand in `index_job/`, and a Job puts them into OpenSearch before the gateways send
the first line. OpenSearch is a service of the cloud or another team's, reached from inside the cluster only: hence a
Job and not this program. Old days go by an index policy of OpenSearch; see docs/operations.md.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import EnvVarArgsDict, PodSpecArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyPortArgsDict

from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import labels
from settings import versions

APP = "log-index"
NAME = "observability-logs"
"""Of the pipeline and the template; indices are called NAME-2026.11.21."""
AUTHORIZATION_KEY = "authorization"
"""In the Secret: the header that the gateways send."""

_FOLDER = Path(__file__).resolve().parent / "index_job"
_FILES = ("apply.py", "index-template.json", "ingest-pipeline.json")
# A day's first OpenSearch of the cloud takes half an hour, but it is made before; this one only has to be reached.
_DEADLINE_SECONDS = 540
_MOUNT = "/log-index"


@dataclass(frozen=True, kw_only=True)
class LogIndexTarget:
    """Where gateways send lines to."""

    endpoint: pulumi.Output[str]
    """URL that takes one line a request."""
    secret: str
    """Name of the Secret that has AUTHORIZATION_KEY."""
    ready: pulumi.Resource
    """What the gateways must depend on: a line sent before would be refused for good."""


class LogIndexArgs(TypedDict):
    """Arguments of LogIndex."""

    namespace: pulumi.Input[str]
    """Namespace that already exists."""
    url: pulumi.Input[str]
    """`https://host:port` of the OpenSearch; its certificate must be of a public authority."""
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    """Kept in a Secret only."""


class LogIndex(pulumi.ComponentResource):
    """Pipeline, template and login of the log index in an OpenSearch that exists."""

    target: LogIndexTarget

    def __init__(self, name: str, args: LogIndexArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:LogIndex", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        url = pulumi.Output.from_input(args["url"]).apply(lambda text: text.rstrip("/"))
        metadata: ObjectMetaArgsDict = {"name": APP, "namespace": args["namespace"], "labels": labels(APP)}
        login = pulumi.Output.all(args["username"], args["password"])
        files = {file: (_FOLDER / file).read_text() for file in _FILES}
        needed: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(f"{name}-files", metadata=metadata, data=files, opts=child),
            k8s.core.v1.Secret(
                f"{name}-login",
                metadata=metadata,
                type="Opaque",
                string_data={
                    "username": pulumi.Output.secret(args["username"]),
                    "password": pulumi.Output.secret(args["password"]),
                    AUTHORIZATION_KEY: pulumi.Output.secret(login.apply(_basic)),
                },
                opts=child,
            ),
            network_policies.app_network(
                f"{name}-network",
                {
                    "app": APP,
                    "namespace": args["namespace"],
                    "egress": [{"ports": url.apply(lambda text: ports([text]))}],
                },
                child,
            ),
        ]
        ready = k8s.batch.v1.Job(
            f"{name}-apply",
            metadata=metadata,
            spec={
                "backoff_limit": 0,
                "active_deadline_seconds": _DEADLINE_SECONDS,
                # No ttlSecondsAfterFinished: a Job that removes itself would be created again by each `pulumi up`.
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.PYTHON),
                        # A Job's template cannot change: with other files, or another OpenSearch, comes a new Job.
                        "annotations": {ANNOTATION: checksum("\n".join(files.values()), salt=name)},
                    },
                    "spec": _pod(url),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=needed,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="10m"),
            ),
        )
        # A line that the pipeline cannot read stays in this index; all others go to their day's. The template names the
        # pipeline, and the address does not: an OpenSearch that starts as a whole knows neither for a moment, and would
        # refuse the name for good. So it keeps the line as it came, which docs/operations.md tells how to read again.
        # And `index`, for a second delivery would be a conflict otherwise, and count as lost.
        endpoint = pulumi.Output.concat(url, f"/{NAME}-unparsed/_doc?op_type=index")
        self.target = LogIndexTarget(endpoint=endpoint, secret=APP, ready=ready)
        self.register_outputs({"endpoint": endpoint})


def ports(urls: Sequence[str]) -> list[NetworkPolicyPortArgsDict]:
    """Ports of these OpenSearches. They have no pods that a selector could name."""
    addresses = [urlsplit(url) for url in urls]
    return network_policies.tcp(*sorted({one.port or (443 if one.scheme == "https" else 80) for one in addresses}))


def _basic(login: Sequence[str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def _pod(url: pulumi.Output[str]) -> PodSpecArgsDict:
    def from_secret(variable: str, key: str) -> EnvVarArgsDict:
        return {"name": variable, "value_from": {"secret_key_ref": {"name": APP, "key": key}}}

    return {
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pods.pod_security(),
        "restart_policy": "Never",
        "containers": [
            pods.secured(
                {
                    "name": "apply",
                    "image": versions.PYTHON_IMAGE,
                    "command": ["python3", f"{_MOUNT}/apply.py"],
                    "env": [
                        {"name": "OPENSEARCH_URL", "value": url},
                        from_secret("OPENSEARCH_USERNAME", "username"),
                        from_secret("OPENSEARCH_PASSWORD", "password"),
                    ],
                    "resources": pods.resources(cores=0.01, memory="64Mi"),
                    # Its last words are the reason that one reads.
                    "termination_message_policy": "FallbackToLogsOnError",
                    "volume_mounts": [{"name": "files", "mount_path": _MOUNT, "read_only": True}],
                }
            )
        ],
        "volumes": [{"name": "files", "config_map": {"name": APP}}],
    }
