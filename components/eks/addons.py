"""EKS add-ons: which there are, who brings each, and those that the program installs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

import pulumi
import pulumi_aws as aws

from components import versions
from components.eks import policies
from components.eks.identities import pod_role
from components.eks.policies import ClusterIdentity
from rules.problems import closest

Mode = Literal["managed", "existing", "off"]
"""The program installs it; someone else did; it is not there."""

EBS_CSI_DRIVER = "aws-ebs-csi-driver"
POD_IDENTITY_AGENT = "eks-pod-identity-agent"
KUBE_STATE_METRICS = "kube-state-metrics"
NODE_EXPORTER = "prometheus-node-exporter"

# Where the EBS CSI add-on runs what creates volumes.
DRIVER_NAMESPACE = "kube-system"
DRIVER_ACCOUNT = "ebs-csi-controller-sa"
# Of AWS' three policies for the driver the one that fits any cluster: limited to volumes that the driver made. The one
# that is limited to a cluster attaches volumes only to nodes with a tag that only managed node groups have.
_DRIVER_POLICY = "AmazonEBSCSIDriverPolicyV2"


@dataclass(frozen=True)
class _AddOn:
    default: Mode
    part_of_auto_mode: bool = False
    preserve: bool = False
    """Its software stays when the program gives it up, because others stand on it: volumes, credentials, CRDs."""


_KNOWN = {
    EBS_CSI_DRIVER: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    POD_IDENTITY_AGENT: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    "metrics-server": _AddOn("managed"),
    # The platform brings both itself, with exactly the metrics that its rules read.
    KUBE_STATE_METRICS: _AddOn("off"),
    NODE_EXPORTER: _AddOn("off"),
    # Nothing of the platform needs it.
    "cert-manager": _AddOn("off", preserve=True),
}


def problems(changes: Mapping[str, object], *, auto_mode: bool) -> list[str]:
    """What is wrong with a stack's `eksAddons`; lines start with the path in `changes`."""
    found: list[str] = []
    for addon, mode in changes.items():
        if addon not in _KNOWN:
            found.append(f"{addon}: no such add-on; {closest(addon, tuple(_KNOWN))}")
        elif mode not in get_args(Mode):
            found.append(f"{addon}: {mode!r} is not allowed; allowed: {', '.join(get_args(Mode))}")
        elif auto_mode and _KNOWN[addon].part_of_auto_mode and mode != "off":
            found.append(f"{addon}: {mode!r} is not allowed; allowed: off, because it is part of Auto Mode")
    return found


def modes(changes: Mapping[str, Mode], *, auto_mode: bool) -> dict[str, Mode]:
    """Add-on -> who brings it, for changes without problems. Off what is part of Auto Mode: EKS runs it, unseen."""
    return {
        addon: "off" if auto_mode and facts.part_of_auto_mode else changes.get(addon, facts.default)
        for addon, facts in _KNOWN.items()
    }


class AddonsArgs(TypedDict):
    """Arguments of Addons."""

    cluster: ClusterIdentity
    cluster_name: pulumi.Input[str]
    """The cluster's name; an output of the cluster where the program makes it, so that it exists first."""
    modes: Mapping[str, Mode]
    """What modes() gave."""
    volume_key_arn: pulumi.Input[str]
    """Key of the volumes that the EBS CSI driver creates."""


class Addons(pulumi.ComponentResource):
    """The managed add-ons, each at its pinned version. Needs the provider aws."""

    installed: Mapping[str, aws.eks.Addon]
    """Add-on -> its resource. Volumes need EBS_CSI_DRIVER, identities POD_IDENTITY_AGENT."""

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Addons", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        managed = [addon for addon, mode in args["modes"].items() if mode == "managed"]
        installed = {addon: _addon(name, addon, args, child) for addon in managed if addon != EBS_CSI_DRIVER}
        if EBS_CSI_DRIVER in managed:
            agent = [installed[POD_IDENTITY_AGENT]] if POD_IDENTITY_AGENT in installed else []
            installed[EBS_CSI_DRIVER] = _driver(name, args, agent, child)
        self.installed = installed
        self.register_outputs({"versions": {addon: versions.EKS_ADDONS[addon] for addon in managed}})


def _driver(name: str, args: AddonsArgs, agent: list[aws.eks.Addon], child: pulumi.ResourceOptions) -> aws.eks.Addon:
    """The EBS CSI driver with its identity. EKS makes the association before the driver's pods: there is no race."""
    role, rights = pod_role(
        f"{name}-{EBS_CSI_DRIVER}",
        {
            "cluster": args["cluster"],
            "namespace": DRIVER_NAMESPACE,
            "service_account": DRIVER_ACCOUNT,
            "policy": pulumi.Output.from_input(args["volume_key_arn"]).apply(policies.volumes),
            "managed_policy_arns": [args["cluster"].managed_policy(_DRIVER_POLICY)],
        },
        child,
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
        addon_version=versions.EKS_ADDONS[addon],
        # What someone installed by hand is not taken over: it is an error that says so.
        resolve_conflicts_on_create="NONE",
        # What someone tuned by hand survives an update.
        resolve_conflicts_on_update="PRESERVE",
        preserve=_KNOWN[addon].preserve,
        pod_identity_associations=[{"role_arn": driver_role.arn, "service_account": DRIVER_ACCOUNT}]
        if driver_role
        else None,
        opts=opts,
    )
