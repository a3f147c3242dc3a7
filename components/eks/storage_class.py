"""The storage class of the platform's volumes on EKS, which has no default class with gp3, encryption and retention."""

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
    """Whether the cluster is in Auto Mode, which has its own driver."""
    key_arn: pulumi.Input[str]
    """KMS key of the volumes. The role that creates volumes needs policies.volumes(key)."""
    protect: bool
    """Whether Pulumi refuses to delete the class."""


class StorageClass(pulumi.ComponentResource):
    """A class of encrypted gp3 volumes that can grow and outlive their claims. It is not the cluster's default."""

    name: pulumi.Output[str]
    """STORAGE_CLASS. Known once the class exists."""

    def __init__(self, name: str, args: StorageClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:StorageClass", name, {}, opts)
        storage_class = k8s.storage.v1.StorageClass(
            f"{name}-storage-class",
            metadata={"name": STORAGE_CLASS, "labels": labels(STORAGE_CLASS)},
            provisioner=_AUTO_MODE_DRIVER if args["auto_mode"] else _DRIVER,
            parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": args["key_arn"]},
            # Deleting a namespace must not delete its data.
            reclaim_policy="Retain",
            # Creates the volume in the zone of its pod.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            # Parameters are immutable: a changed key replaces the class, which `protect` prevents.
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"]),
        )
        self.name = storage_class.metadata.apply(lambda metadata: metadata.name or STORAGE_CLASS)
        self.register_outputs({"name": self.name})
