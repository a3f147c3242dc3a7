"""A Job that sets up an OpenSearch with a program of `prepare/`.

OpenSearch is a cloud service or another team's, and reachable only from inside the cluster, so this program cannot
set it up itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict
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

FOLDER = Path(__file__).resolve().parent / "prepare"
_CLIENT = "client.py"
# Time to reach OpenSearch. A new cloud domain takes half an hour, but it exists before the Job starts.
_DEADLINE_SECONDS = 540


class LoginArgs(TypedDict):
    """An existing OpenSearch and a user of it."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    url: pulumi.Input[str]
    """`https://host:port` of OpenSearch. A public authority must have issued its certificate."""
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    """Stored only in a Secret."""


class JobArgs(TypedDict):
    """Arguments of opensearch_job."""

    app: str
    """Name of the Job and of its other objects."""
    program: Literal["apply", "users"]
    login: LoginArgs
    files: NotRequired[Sequence[str]]
    """Files of `prepare/` that the program reads."""
    environment: NotRequired[Mapping[str, str]]
    """Further variables of the program."""
    secret: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further data of the Secret with the login. The Job runs again when it changes."""
    secret_environment: NotRequired[Mapping[str, str]]
    """Variable of the program -> its key in the Secret."""


def opensearch_job(name: str, args: JobArgs, parent: pulumi.Resource) -> k8s.batch.v1.Job:
    """The Job and what it needs: ConfigMap, Secret and network policy, all named after the app, below `parent`."""
    child = pulumi.ResourceOptions(parent=parent)
    app, login = args["app"], args["login"]
    metadata: ObjectMetaArgsDict = {"name": app, "namespace": login["namespace"], "labels": labels(app)}
    programs = (f"{args['program']}.py", _CLIENT)
    files = {file: (FOLDER / file).read_text() for file in (*programs, *args.get("files", ()))}
    further = {key: pulumi.Output.secret(value) for key, value in args.get("secret", {}).items()}
    read_once = pulumi.Output.all(*files.values(), *further.values()).apply("\n".join)
    needed: list[pulumi.Resource] = [
        k8s.core.v1.ConfigMap(f"{name}-files", metadata=metadata, data=files, opts=child),
        k8s.core.v1.Secret(
            f"{name}-login",
            metadata=metadata,
            type="Opaque",
            string_data={
                "username": pulumi.Output.secret(login["username"]),
                "password": pulumi.Output.secret(login["password"]),
                **further,
            },
            opts=child,
        ),
        network_policies.app_network(
            f"{name}-network",
            {
                "app": app,
                "namespace": login["namespace"],
                "egress": [{"ports": pulumi.Output.from_input(login["url"]).apply(lambda text: ports([text]))}],
            },
            child,
        ),
    ]
    return k8s.batch.v1.Job(
        f"{name}-apply",
        metadata=metadata,
        spec={
            "backoff_limit": 0,
            "active_deadline_seconds": _DEADLINE_SECONDS,
            # No ttlSecondsAfterFinished: each `pulumi up` would recreate a Job that deletes itself.
            "template": {
                "metadata": {
                    "labels": labels(app, versions.PYTHON),
                    # A Job's template is immutable: changed files and secrets or another OpenSearch replace the Job.
                    "annotations": {ANNOTATION: checksum(read_once, salt=name)},
                },
                "spec": _pod(args),
            },
        },
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=needed,
            delete_before_replace=True,
            custom_timeouts=pulumi.CustomTimeouts(create="10m"),
        ),
    )


def ports(urls: Sequence[str]) -> list[NetworkPolicyPortArgsDict]:
    """Ports of OpenSearch at these URLs. It has no pods that a selector could name."""
    parts = [urlsplit(url) for url in urls]
    return network_policies.tcp(*sorted({part.port or (443 if part.scheme == "https" else 80) for part in parts}))


def _pod(args: JobArgs) -> PodSpecArgsDict:
    app = args["app"]
    variables: dict[str, pulumi.Input[str]] = {"OPENSEARCH_URL": args["login"]["url"], **args.get("environment", {})}

    def from_secret(variable: str, key: str) -> EnvVarArgsDict:
        return {"name": variable, "value_from": {"secret_key_ref": {"name": app, "key": key}}}

    return pods.program_pod(
        {
            "name": "apply",
            # As a module of the mounted folder, so that the programs find each other.
            "command": ["python3", "-m", f"{FOLDER.name}.{args['program']}"],
            "working_dir": "/",
            "env": [
                *({"name": variable, "value": value} for variable, value in variables.items()),
                from_secret("OPENSEARCH_USERNAME", "username"),
                from_secret("OPENSEARCH_PASSWORD", "password"),
                *(from_secret(variable, key) for variable, key in args.get("secret_environment", {}).items()),
            ],
        },
        volume="files",
        folder=f"/{FOLDER.name}",
        config_map=app,
    )
