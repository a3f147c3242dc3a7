"""The storage class as the cluster gets it."""

from collections.abc import Callable

import pulumi
import pulumi_kubernetes as k8s
import pytest

from components.eks.storage_class import StorageClass
from tests.eks.names import KEY
from tests.mock_engine import Recorded, Registration

TAGS = {"stack": "staging", "owner": "me"}


def _made(recorded: Recorded) -> Registration:
    (found,) = [resource for resource in recorded.of("StorageClass") if resource.custom]
    return found


@pytest.mark.parametrize(
    ("auto_mode", "driver"), [(False, "ebs.csi.aws.com"), (True, "ebs.csi.eks.amazonaws.com")], ids=["driver", "auto"]
)
def test_volumes_are_encrypted_kept_and_grow(
    engine: Callable[..., Recorded], preview: bool, auto_mode: bool, driver: str
) -> None:
    def program() -> None:
        cluster = k8s.Provider("cluster", kubeconfig="{}")
        StorageClass(
            "volumes",
            {"auto_mode": auto_mode, "key_arn": KEY, "tags": TAGS, "iops": 0, "throughput": 0, "protect": True},
            pulumi.ResourceOptions(provider=cluster),
        )

    recorded = engine(program, preview=preview)
    found = _made(recorded)
    inputs = {key: value for key, value in found.inputs.items() if key not in ("apiVersion", "kind")}
    assert inputs == {
        "metadata": {
            "name": "observability-gp3",
            "labels": {
                "app.kubernetes.io/name": "observability-gp3",
                "app.kubernetes.io/part-of": "observability",
                "app.kubernetes.io/managed-by": "pulumi",
            },
        },
        "provisioner": driver,
        "parameters": {
            "type": "gp3",
            "encrypted": "true",
            "kmsKeyId": KEY,
            # AWS refuses tags from Auto Mode's driver until the cluster's role has a further policy.
            **({} if auto_mode else {"tagSpecification_1": "owner=me", "tagSpecification_2": "stack=staging"}),
        },
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    assert found.protect
    assert found.provider.split("::")[-2] == "cluster"
    assert recorded.outputs["volumes"] == {"name": "observability-gp3"}


@pytest.mark.parametrize("protect", [False, True])
def test_protection_is_the_stack_s_choice(engine: Callable[..., Recorded], protect: bool) -> None:
    recorded = engine(
        lambda: StorageClass(
            "volumes",
            {"auto_mode": False, "key_arn": KEY, "tags": TAGS, "iops": 0, "throughput": 0, "protect": protect},
        )
    )
    assert _made(recorded).protect is protect


@pytest.mark.parametrize("auto_mode", [False, True])
@pytest.mark.parametrize(
    ("rates", "parameters"),
    [
        ({"iops": 6000, "throughput": 500}, {"iops": "6000", "throughput": "500"}),
        ({"iops": 0, "throughput": 500}, {"throughput": "500"}),
        ({"iops": 6000, "throughput": 0}, {"iops": "6000"}),
        ({"iops": 0, "throughput": 0}, {}),
    ],
)
def test_rates_count_from_the_creation_of_the_class_on(
    engine: Callable[..., Recorded], auto_mode: bool, rates: dict[str, int], parameters: dict[str, str]
) -> None:
    args = {"auto_mode": auto_mode, "key_arn": KEY, "tags": {}, "protect": True, **rates}
    found = _made(engine(lambda: StorageClass("volumes", args)))  # pyright: ignore[reportArgumentType]
    given = found.inputs["parameters"]
    assert {name: given[name] for name in ("iops", "throughput") if name in given} == parameters
    # Parameters are immutable: without this, a changed rate would replace the class. That also counts for a rate that
    # is set for the first time, or no longer.
    assert set(found.ignored) == {"parameters.iops", "parameters.throughput"}
