"""Access to an EKS cluster: a kubeconfig that runs the AWS CLI to get a token for each connection.

The kubeconfig contains no token. It is therefore the same on every run and machine, and a run may outlast a token.
"""

import json

from settings.values import Values

_NAME = "eks"
"""Name of cluster, user and context in the kubeconfig, which refer to each other only."""


def kubeconfig(values: Values, endpoint: str, certificate_authority: str) -> str:
    """A kubeconfig for the stack's cluster, as JSON. `certificate_authority` is the PEM in Base64."""
    arguments = ["--region", values.aws_region, "--cluster-name", values.cluster_name, "--output", "json"]
    if values.aws_role_arn:
        arguments += ["--role-arn", values.aws_role_arn]
    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", *arguments],
        "interactiveMode": "Never",
        "provideClusterInfo": False,
        # The command does not see the profile that Pulumi's provider is given.
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
    """The command that gives kubectl access to the cluster."""
    profile = f" --profile {values.aws_profile}" if values.aws_profile else ""
    role = f" --role-arn {values.aws_role_arn}" if values.aws_role_arn else ""
    return f"aws eks update-kubeconfig --name {values.cluster_name} --region {values.aws_region}{role}{profile}"
