"""How the Kubernetes provider gets into an EKS cluster: a kubeconfig that asks the AWS CLI for a token each time.

It holds no token, so it is the same on each run and on each machine, and what runs longer than a token lives goes on.
"""

import json

from settings.values import Values

_NAME = "eks"
"""Of cluster, user and context in the kubeconfig; they name each other only."""


def kubeconfig(values: Values, endpoint: str, certificate_authority: str) -> str:
    """A kubeconfig, as JSON, for the stack's cluster; `certificate_authority` is Base64 of the PEM."""
    arguments = ["--region", values.aws_region, "--cluster-name", values.cluster_name, "--output", "json"]
    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", *arguments],
        "interactiveMode": "Never",
        "provideClusterInfo": False,
        # A profile given to Pulumi's provider is not seen by the command.
        **({"env": [{"name": "AWS_PROFILE", "value": values.aws_profile}]} if values.aws_profile else {}),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": _NAME, "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority}}
        ],
        "users": [{"name": _NAME, "user": {"exec": command}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }
    return json.dumps(document, sort_keys=True)


def login_command(values: Values) -> str:
    """The command that lets kubectl in."""
    profile = f" --profile {values.aws_profile}" if values.aws_profile else ""
    return f"aws eks update-kubeconfig --name {values.cluster_name} --region {values.aws_region}{profile}"
