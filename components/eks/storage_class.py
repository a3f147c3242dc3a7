"""The storage class of the platform's volumes on EKS, which has none of its own that is encrypted, kept and gp3."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels
from settings.eks.aws import STORAGE_CLASS

_DRIVER = "ebs.csi.aws.com"
_AUTO_MODE_DRIVER = "ebs.csi.eks.amazonaws.com"


class StorageClassArgs(TypedDict):
    """Arguments of StorageClass."""

    auto_mode: bool
    """Whether the cluster is in Auto Mode, which has a driver of its own."""
    key_arn: pulumi.Input[str]
    """Key of the volumes; whoever creates them needs policies.volumes(key)."""
    protect: bool
    """Whether Pulumi refuses to delete it."""


class StorageClass(pulumi.ComponentResource):
    """gp3 volumes that are encrypted with one key, can grow, and outlive their claims. Not the cluster's default."""

    name: pulumi.Output[str]
    """Its name, which is STORAGE_CLASS, once it exists."""

    def __init__(self, name: str, args: StorageClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:StorageClass", name, {}, opts)
        storage_class = k8s.storage.v1.StorageClass(
            f"{name}-storage-class",
            metadata={"name": STORAGE_CLASS, "labels": labels(STORAGE_CLASS)},
            provisioner=_AUTO_MODE_DRIVER if args["auto_mode"] else _DRIVER,
            parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": args["key_arn"]},
            # A deleted namespace must not take the data along.
            reclaim_policy="Retain",
            # In the zone where its pod runs.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            # Kubernetes cannot change the parameters: another key means another class, and is refused where protected.
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"]),
        )
        self.name = storage_class.metadata.apply(lambda metadata: metadata.name or STORAGE_CLASS)
        self.register_outputs({"name": self.name})
