"""With imageRegistry, nodes pull every image from there, by the login in the namespace of the pod."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from settings import versions
from settings.images import REGISTRIES
from tests.mock_engine import STACKS, Recorded

HOST = "registry.example.com:5000"
MIRROR = {"imageRegistry": json.dumps({"all": f"{HOST}/mirror", "quay.io": f"{HOST}/quay"})}
LOGIN = MIRROR | {"imageRegistryUsername": "puller", "imageRegistryPassword": "hush-registry"}


def pods(recorded: Recorded) -> dict[str, tuple[str | None, dict[str, Any]]]:
    """Name -> namespace and pod of everything that has pods, Jobs included."""
    return {
        one.name: (one.namespace, template["spec"])
        for one in recorded.resources
        if (template := (one.inputs.get("spec") or {}).get("template"))
    }


def images(pod: dict[str, Any]) -> list[str]:
    return [container["image"] for container in [*pod["containers"], *pod.get("initContainers", [])]]


def mirrored(image: str) -> str:
    registry, rest = image.split("/", 1)
    if registry == "quay.io":
        return f"{HOST}/quay/{rest}"
    return f"{HOST}/mirror/{image if registry in REGISTRIES else f'docker.io/{image}'}"


@pytest.mark.parametrize("stack_name", STACKS)
def test_nodes_pull_every_image_from_the_registry(program: Callable[..., Recorded], stack_name: str) -> None:
    plain, changed = pods(program(stack_name)), program(stack_name, **LOGIN)
    assert len(plain) > 6
    assert pods(changed).keys() == plain.keys()
    for name, (_, after) in pods(changed).items():
        _, before = plain[name]
        assert "imagePullSecrets" not in before, name
        assert after["imagePullSecrets"] == [{"name": "image-registry"}], name
        assert images(after) == [mirrored(image) for image in images(before)], name
    secrets = [one for one in changed.of("Secret") if one.object_name == "image-registry"]
    assert {one.namespace for one in secrets} == {one.object_name for one in changed.of("Namespace") if one.custom}
    assert {namespace for namespace, _ in pods(changed).values()} <= {one.namespace for one in secrets}
    for secret in secrets:
        assert json.loads(secret.inputs["stringData"][".dockerconfigjson"]) == {
            "auths": {HOST: {"auth": base64.b64encode(b"puller:hush-registry").decode()}}
        }
        assert "stringData" in secret.secret_inputs


def test_an_image_with_a_digest_is_pulled_by_it(program: Callable[..., Recorded]) -> None:
    digest = "sha256:" + "0a" * 32
    recorded = program("local", imageDigests=json.dumps({versions.LOKI_IMAGE: digest}))
    found = {image for _, pod in pods(recorded).values() for image in images(pod)}
    assert f"docker.io/grafana/loki@{digest}" in found
    assert versions.LOKI_IMAGE not in found


def test_a_registry_without_login_needs_no_secret(program: Callable[..., Recorded]) -> None:
    recorded = program("local", **MIRROR)
    assert all(image.startswith(HOST) for _, pod in pods(recorded).values() for image in images(pod))
    assert all("imagePullSecrets" not in pod for _, pod in pods(recorded).values())
    assert "image-registry" not in {one.object_name for one in recorded.of("Secret")}


def test_every_image_has_a_registry_that_can_be_replaced() -> None:
    named = [image for name, image in vars(versions).items() if name.endswith("_IMAGE") and name != "SIMULATOR_IMAGE"]
    assert {image.split("/")[0] for image in named} == {*REGISTRIES}
