"""The log index: the log lines of requests in OpenSearch, searchable by request id, project and service.

It is a second copy for look-ups; Loki has every line. `index_job/` contains the ingest pipeline, which builds a
document, and the index template, which types its fields. A Job installs both before the gateways send the first line.
OpenSearch is a cloud service or another team's, and reachable only from inside the cluster, so this program cannot
install them itself. An index policy of OpenSearch deletes old days; see docs/operations.md.
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
"""Name of the pipeline and of the template. Indices are named NAME-2026.11.21."""
AUTHORIZATION_KEY = "authorization"
"""Key in the Secret of the Authorization header that the gateways send."""

_FOLDER = Path(__file__).resolve().parent / "index_job"
_FILES = ("apply.py", "index-template.json", "ingest-pipeline.json")
# Time to reach OpenSearch. A new cloud domain takes half an hour, but it exists before the Job starts.
_DEADLINE_SECONDS = 540
_MOUNT = "/log-index"


@dataclass(frozen=True, kw_only=True)
class LogIndexTarget:
    """The destination to which gateways send lines."""

    endpoint: pulumi.Output[str]
    """URL that accepts one line in each request."""
    secret: str
    """Name of the Secret that has AUTHORIZATION_KEY."""
    secret_checksum: pulumi.Output[str]
    """Changes with the Secret, which the gateways read only when they start."""
    ready: pulumi.Resource
    """Resource that the gateways must depend on. OpenSearch would permanently reject lines that are sent earlier."""


class LogIndexArgs(TypedDict):
    """Arguments of LogIndex."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    url: pulumi.Input[str]
    """`https://host:port` of OpenSearch. A public authority must have issued its certificate."""
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    """Stored only in a Secret."""


class LogIndex(pulumi.ComponentResource):
    """Pipeline, template and login of the log index in an existing OpenSearch."""

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
                # No ttlSecondsAfterFinished: each `pulumi up` would recreate a Job that deletes itself.
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.PYTHON),
                        # A Job's template is immutable: changed files or another OpenSearch replace the Job.
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
        # Lines that the pipeline cannot parse stay in this index; all others move to the index of their day. The
        # template names the pipeline, and this URL does not: for a moment after a full cluster restart, OpenSearch does
        # not apply either, and would permanently reject a request that names the pipeline. Without the name it stores
        # the line unparsed; docs/operations.md describes how to parse it later. `op_type=index` is set because a second
        # delivery would otherwise be a conflict and count as lost.
        endpoint = pulumi.Output.concat(url, f"/{NAME}-unparsed/_doc?op_type=index")
        self.target = LogIndexTarget(
            endpoint=endpoint, secret=APP, secret_checksum=checksum(login.apply(_basic), salt=name), ready=ready
        )
        self.register_outputs({"endpoint": endpoint})


def ports(urls: Sequence[str]) -> list[NetworkPolicyPortArgsDict]:
    """Ports of OpenSearch at these URLs. It has no pods that a selector could name."""
    parts = [urlsplit(url) for url in urls]
    return network_policies.tcp(*sorted({part.port or (443 if part.scheme == "https" else 80) for part in parts}))


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
                    # Shows the last lines of the log as the reason of a failure.
                    "termination_message_policy": "FallbackToLogsOnError",
                    "volume_mounts": [{"name": "files", "mount_path": _MOUNT, "read_only": True}],
                }
            )
        ],
        "volumes": [{"name": "files", "config_map": {"name": APP}}],
    }
