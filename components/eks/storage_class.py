"""The storage class of the platform's volumes on EKS, which has no default class with gp3, encryption and retention."""

from collections.abc import Mapping
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
    tags: Mapping[str, str]
    """Tags of each volume. Those at the class's creation count, because parameters are immutable. Not applied in Auto
    Mode, whose driver may set them only once the cluster's role has a further policy (EKS user guide, "Learn about
    identity and access in EKS Auto Mode").
    """
    iops: int
    """I/O operations per second of each volume; 0 for AWS' baseline. Those at the class's creation count."""
    throughput: int
    """MiB/s of each volume; 0 for AWS' baseline. Those at the class's creation count."""
    protect: bool
    """Whether Pulumi refuses to delete the class."""


class StorageClass(pulumi.ComponentResource):
    """A class of encrypted gp3 volumes that can grow and outlive their claims. It is not the cluster's default."""

    name: pulumi.Output[str]
    """STORAGE_CLASS. Known once the class exists."""

    def __init__(self, name: str, args: StorageClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:StorageClass", name, {}, opts)
        tags = {
            f"tagSpecification_{number}": f"{key}={value}"
            for number, (key, value) in enumerate(sorted(args["tags"].items()), start=1)
            if not args["auto_mode"]
        }
        rates = {"iops": args["iops"], "throughput": args["throughput"]}
        storage_class = k8s.storage.v1.StorageClass(
            f"{name}-storage-class",
            metadata={"name": STORAGE_CLASS, "labels": labels(STORAGE_CLASS)},
            provisioner=_AUTO_MODE_DRIVER if args["auto_mode"] else _DRIVER,
            parameters={
                "type": "gp3",
                "encrypted": "true",
                "kmsKeyId": args["key_arn"],
                **tags,
                **{name: str(rate) for name, rate in rates.items() if rate},
            },
            # Deleting a namespace must not delete its data.
            reclaim_policy="Retain",
            # Creates the volume in the zone of its pod.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            # Parameters are immutable: a changed key replaces the class, which `protect` prevents.
            opts=pulumi.ResourceOptions(
                parent=self, protect=args["protect"], ignore_changes=[f"parameters.{name}" for name in (*tags, *rates)]
            ),
        )
        self.name = storage_class.metadata.apply(lambda metadata: metadata.name or STORAGE_CLASS)
        self.register_outputs({"name": self.name})
