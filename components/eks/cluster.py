"""A dedicated EKS cluster in Auto Mode, in which AWS manages nodes, volumes, load balancers and their add-ons."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import pulumi
import pulumi_aws as aws

from components.eks import policies, roles
from components.eks.log_group import log_group
from components.eks.network.security_groups import https_from
from components.eks.policies import ClusterIdentity

# Exactly the policies that Auto Mode requires (EKS user guide, "Create an EKS Auto Mode Cluster").
_CONTROL_PLANE_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
_NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")
_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class ClusterArgs(TypedDict):
    """Arguments of Cluster."""

    identity: ClusterIdentity
    version: str
    """Version of Kubernetes, such as 1.34. Updates can only raise it, one minor at a time."""
    subnet_ids: Sequence[str]
    """Private subnets in at least two zones."""
    admin_role_arns: Sequence[str]
    """IAM roles of the cluster's administrators. `pulumi up` must run with one of them."""
    key_arn: pulumi.Input[str]
    """KMS key of the cluster's secrets, volumes and logs."""
    api_cidrs: Sequence[str]
    """CIDRs in connected networks that may call the API at its private address."""
    api_security_group_ids: Sequence[str]
    """Security groups whose members may call it there."""
    public_access_cidrs: Sequence[str]
    """CIDRs that may call the API over the internet."""
    support: Literal["standard", "extended"]
    """What EKS does when standard support of the version ends: an upgrade, or extended support at six times the price.
    """
    protect: bool
    """Whether Pulumi and EKS refuse to delete the cluster, and AWS retains its logs when they leave the program."""


class Cluster(pulumi.ComponentResource):
    """A private cluster with encrypted secrets and all control plane logs. Only the named roles administer it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    """URL of its API. Known once the administrators have access, and the callers' networks can reach it."""
    certificate_authority: pulumi.Output[str]
    """PEM of the authority that signs the API's certificate, in Base64."""
    security_group_id: pulumi.Output[str]
    """The security group that EKS attaches to the control plane, nodes and pods."""
    vpc_id: pulumi.Output[str]
    service_cidr: pulumi.Output[str]
    """Address range of its Services."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Cluster", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        control_plane, control_plane_rights = _control_plane_role(name, args, child)
        nodes, node_rights = _node_role(name, args["identity"], child)
        logs = _logs(name, args, self)
        public = list(args["public_access_cidrs"])
        cluster = aws.eks.Cluster(
            f"{name}-cluster",
            name=args["identity"].name,
            version=args["version"],
            role_arn=control_plane.arn,
            vpc_config={
                "subnet_ids": list(args["subnet_ids"]),
                "endpoint_private_access": True,
                "endpoint_public_access": bool(public),
                "public_access_cidrs": public or None,
            },
            # The three switches of Auto Mode, which EKS accepts only together. Auto Mode includes its add-ons.
            compute_config={"enabled": True, "node_pools": ["general-purpose", "system"], "node_role_arn": nodes.arn},
            storage_config={"block_storage": {"enabled": True}},
            kubernetes_network_config={"elastic_load_balancing": {"enabled": True}},
            bootstrap_self_managed_addons=False,
            access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
            encryption_config={"provider": {"key_arn": args["key_arn"]}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(_LOGS),
            upgrade_policy={"support_type": args["support"].upper()},
            deletion_protection=args["protect"],
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args["protect"],
                # Also orders the deletion: without these policies EKS cannot remove resources that Auto Mode created.
                depends_on=[*control_plane_rights, *node_rights, logs],
            ),
        )
        admins = [_admin(name, cluster, args["identity"], role_arn, child) for role_arn in args["admin_role_arns"]]
        self.name, self.arn = cluster.name, cluster.arn
        entries = _api_entries(name, cluster, args, child)
        needed = [one.id for one in (*admins, *entries)]
        self.endpoint = pulumi.Output.all(cluster.endpoint, *needed).apply(lambda all_: all_[0])
        self.certificate_authority = cluster.certificate_authority.apply(lambda authority: authority.data or "")
        network = cluster.vpc_config
        self.security_group_id = network.apply(lambda config: config.cluster_security_group_id or "")
        self.vpc_id = network.apply(lambda config: config.vpc_id or "")
        self.service_cidr = cluster.kubernetes_network_config.apply(lambda config: config.service_ipv4_cidr or "")
        self.register_outputs({"name": self.name, "arn": self.arn, "endpoint": self.endpoint})


def _api_entries(
    name: str, cluster: aws.eks.Cluster, args: ClusterArgs, child: pulumi.ResourceOptions
) -> list[aws.vpc.SecurityGroupIngressRule]:
    """Lets the callers reach the API at its private address. The group that EKS makes admits only its own members (EKS
    user guide, "Cluster API server endpoint", section "Accessing a private only API server").
    """
    return https_from(
        f"{name}-api",
        cluster.vpc_config.apply(lambda config: config.cluster_security_group_id or ""),
        "Calls of the Kubernetes API",
        args["api_cidrs"],
        {group: group for group in args["api_security_group_ids"]},
        child,
    )


def _logs(name: str, args: ClusterArgs, parent: pulumi.Resource) -> aws.cloudwatch.LogGroup:
    """The log group of the control plane. If it did not exist, EKS would create one that never expires."""
    group = args["identity"].log_group
    return log_group(f"{name}-logs", group, args["key_arn"], protect=args["protect"], parent=parent)


def _control_plane_role(
    name: str, args: ClusterArgs, child: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """The role of EKS itself, with which Auto Mode also creates volumes."""
    identity = args["identity"]
    role = roles.role(
        f"{name}-control-plane-role",
        identity,
        "control-plane",
        f"Control plane of the EKS cluster {identity.name}",
        policies.control_plane_trust(identity),
        child,
    )
    volumes = aws.iam.RolePolicy(
        f"{name}-volumes-policy",
        name="volumes",
        role=role.name,
        policy=pulumi.Output.json_dumps(pulumi.Output.from_input(args["key_arn"]).apply(policies.volumes)),
        opts=child,
    )
    return role, [volumes, *_attached(name, role, identity, _CONTROL_PLANE_POLICIES, child)]


def _node_role(
    name: str, identity: ClusterIdentity, child: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """The role of the nodes, for joining the cluster and pulling images. Pods have their own roles."""
    role = roles.role(
        f"{name}-node-role", identity, "node", f"Nodes of the EKS cluster {identity.name}", policies.node_trust(), child
    )
    return role, _attached(name, role, identity, _NODE_POLICIES, child)


def _attached(
    name: str, role: aws.iam.Role, identity: ClusterIdentity, names: Sequence[str], child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}", role=role.name, policy_arn=identity.managed_policy(policy), opts=child
        )
        for policy in names
    ]


def _admin(
    name: str, cluster: aws.eks.Cluster, identity: ClusterIdentity, role_arn: str, child: pulumi.ResourceOptions
) -> aws.eks.AccessPolicyAssociation:
    """Makes an IAM role administrator of the cluster."""
    role = role_arn.rsplit("/", 1)[-1]
    entry = aws.eks.AccessEntry(
        f"{name}-admin-{role}", cluster_name=cluster.name, principal_arn=role_arn, type="STANDARD", opts=child
    )
    return aws.eks.AccessPolicyAssociation(
        f"{name}-admin-{role}-policy",
        cluster_name=cluster.name,
        principal_arn=entry.principal_arn,
        policy_arn=f"arn:{identity.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        access_scope={"type": "cluster"},
        opts=child,
    )
