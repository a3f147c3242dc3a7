"""IAM roles of the program: name, path, boundary and trust are the same for all of them."""

import pulumi
import pulumi_aws as aws

from components.eks.policies import ClusterIdentity, Document


def role(
    name: str, identity: ClusterIdentity, user: str, description: str, trust: Document, opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """The role of `user`, see ClusterIdentity.role_name, which `trust` lets assume it."""
    return aws.iam.Role(
        name,
        name=identity.role_name(user),
        path=identity.role_path,
        permissions_boundary=identity.boundary_arn or None,
        description=description,
        assume_role_policy=pulumi.Output.json_dumps(trust),
        opts=opts,
    )
