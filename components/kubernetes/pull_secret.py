"""The Secret with which nodes log in to the registry of the images, one in each namespace of the program."""

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels

NAME = "image-registry"


def pull_secret(name: str, namespace: pulumi.Input[str], login: str, parent: pulumi.Resource) -> None:
    """Creates the Secret with `login`, Docker's config.json; nothing if it is empty."""
    if login:
        k8s.core.v1.Secret(
            f"{name}-image-registry",
            metadata={"name": NAME, "namespace": namespace, "labels": labels(NAME)},
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": pulumi.Output.secret(login)},
            opts=pulumi.ResourceOptions(parent=parent),
        )
