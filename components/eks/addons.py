"""The EKS add-ons that the program installs, each at its version."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks import policies
from components.eks.identities import pod_role
from components.eks.policies import ClusterIdentity
from settings.eks import addons
from settings.eks.addons import EBS_CSI_DRIVER, POD_IDENTITY_AGENT

# Namespace and service account of the EBS CSI add-on's controller, which creates volumes.
DRIVER_NAMESPACE = "kube-system"
DRIVER_ACCOUNT = "ebs-csi-controller-sa"
# The only one of AWS' three policies for the driver that suits every cluster. It is limited to volumes that the driver
# created. The policy that is limited to a cluster attaches volumes only to nodes with a tag of managed node groups.
_DRIVER_POLICY = "AmazonEBSCSIDriverPolicyV2"


class AddonsArgs(TypedDict):
    """Arguments of Addons."""

    cluster: ClusterIdentity
    cluster_name: pulumi.Input[str]
    """Name of the cluster; an output if the program creates the cluster, so that the cluster exists first."""
    managed: Mapping[str, str]
    """Add-on -> version, of the add-ons to install."""
    volume_key_arn: pulumi.Input[str]
    """KMS key of the volumes that the EBS CSI driver creates."""


class Addons(pulumi.ComponentResource):
    """The managed add-ons, each at its version. Needs the provider aws."""

    installed: Mapping[str, aws.eks.Addon]
    """Add-on -> its resource. Volumes need EBS_CSI_DRIVER, and identities need POD_IDENTITY_AGENT."""

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Addons", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        others = [addon for addon in args["managed"] if addon != EBS_CSI_DRIVER]
        installed = {addon: _addon(name, addon, args, child) for addon in others}
        if EBS_CSI_DRIVER in args["managed"]:
            agent = [installed[POD_IDENTITY_AGENT]] if POD_IDENTITY_AGENT in installed else []
            installed[EBS_CSI_DRIVER] = _driver(name, args, agent, child)
        self.installed = installed
        self.register_outputs({"versions": dict(args["managed"])})


def _driver(name: str, args: AddonsArgs, agent: list[aws.eks.Addon], child: pulumi.ResourceOptions) -> aws.eks.Addon:
    """The EBS CSI driver with its identity. EKS creates the association before the driver's pods: there is no race.

    Role and permissions share the add-on's fate: a driver that stays in the cluster needs them for everybody's volumes.
    """
    kept = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(retain_on_delete=True))
    role, rights = pod_role(
        f"{name}-{EBS_CSI_DRIVER}",
        {
            "cluster": args["cluster"],
            "namespace": DRIVER_NAMESPACE,
            "service_account": DRIVER_ACCOUNT,
            "policy": pulumi.Output.from_input(args["volume_key_arn"]).apply(policies.volumes),
            "managed_policy_arns": [args["cluster"].managed_policy(_DRIVER_POLICY)],
        },
        kept,
    )
    needed = pulumi.ResourceOptions(depends_on=[*rights, *agent])
    return _addon(name, EBS_CSI_DRIVER, args, pulumi.ResourceOptions.merge(child, needed), role)


def _addon(
    name: str,
    addon: str,
    args: AddonsArgs,
    opts: pulumi.ResourceOptions,
    driver_role: aws.iam.Role | None = None,
) -> aws.eks.Addon:
    return aws.eks.Addon(
        f"{name}-{addon}",
        cluster_name=args["cluster_name"],
        addon_name=addon,
        addon_version=args["managed"][addon],
        # Reports software that was installed by hand as an error, instead of taking it over.
        resolve_conflicts_on_create="NONE",
        # Manual changes survive an update.
        resolve_conflicts_on_update="PRESERVE",
        pod_identity_associations=[{"role_arn": driver_role.arn, "service_account": DRIVER_ACCOUNT}]
        if driver_role
        else None,
        # It stays an add-on of the cluster, with its identity, when the program gives it up.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=addons.shared(addon))),
    )
