"""The objects with which docs/operations.md restores a volume are those that a stateful set of the stack adopts."""

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest
import yaml
from kubernetes import client

from local.toolchain import built
from settings.quantities import quantity_bytes
from tests.manual.pages import PAGES, commands
from tests.mock_engine import ROOT, Recorded

PAGE = ROOT / "docs" / "operations.md"
KUBECTL = sorted({(page.name, one) for page in PAGES for one in commands(page) if one.startswith("kubectl ")})


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """The volume and the claim of the page."""
    section = PAGE.read_text().split("#### A volume from its snapshot")[1]
    (block,) = (one for one in re.findall(r"(?:^ {4}.*\n)+", section, re.MULTILINE) if "kind: Persistent" in one)
    volume, claim = yaml.safe_load_all(re.sub("^ {4}", "", block, flags=re.MULTILINE))
    return volume, claim


def require_form(model: type[Any], found: Mapping[str, Any], where: str) -> None:
    """Fails if an object has a field that the model of Kubernetes' API does not have there."""
    fields = {name: model.openapi_types[field] for field, name in model.attribute_map.items()}
    for name, value in found.items():
        assert name in fields, f"{where}.{name} is no field of {model.__name__}"
        kind = fields[name].removeprefix("list[").removesuffix("]")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and hasattr(client, kind):
                require_form(getattr(client, kind), one, f"{where}.{name}")


def class_of(recorded: Recorded) -> Mapping[str, Any]:
    """The storage class, without the component around it."""
    return next(one.inputs for one in recorded.of("StorageClass") if one.type.startswith("kubernetes:"))


def test_kubernetes_has_every_field_of_the_objects() -> None:
    volume, claim = documents()
    require_form(client.V1PersistentVolume, volume, "volume")
    require_form(client.V1PersistentVolumeClaim, claim, "claim")


def test_the_volume_and_the_claim_are_bound_to_each_other() -> None:
    volume, claim = documents()
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["claimRef"] == {key: claim["metadata"][key] for key in ("namespace", "name")}
    for key in ("accessModes", "storageClassName"):
        assert claim["spec"][key] == volume["spec"][key]
    assert claim["spec"]["resources"]["requests"] == volume["spec"]["capacity"]


def test_the_stateful_set_adopts_the_claim_by_its_name(program: Callable[..., Recorded]) -> None:
    recorded = program("staging")
    volume, claim = documents()
    prometheus = recorded.one("StatefulSet", "prometheus").inputs
    (template,) = prometheus["spec"]["volumeClaimTemplates"]
    last = int(prometheus["spec"]["replicas"]) - 1
    assert claim["metadata"] == {
        "name": f"{template['metadata']['name']}-{prometheus['metadata']['name']}-{last}",
        "namespace": "observability",
    }
    assert {key: claim["spec"][key] for key in ("accessModes", "storageClassName")} == {
        key: template["spec"][key] for key in ("accessModes", "storageClassName")
    }
    asked, given = (one["spec"]["resources"]["requests"]["storage"] for one in (template, claim))
    assert quantity_bytes(given) >= quantity_bytes(asked)
    storage_class = class_of(recorded)
    assert volume["spec"]["csi"]["driver"] == storage_class["provisioner"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == storage_class["reclaimPolicy"]
    assert volume["spec"]["storageClassName"] == storage_class["metadata"]["name"]
    # A restored replica comes back with the number of replicas that the program wants.
    scaled = [one.rpartition("=")[2] for one in commands(PAGE) if " scale statefulset prometheus " in one]
    assert scaled == [str(last), str(last + 1)]


def test_in_auto_mode_the_page_names_the_other_driver(program: Callable[..., Recorded]) -> None:
    driver = class_of(program("staging", eksAutoMode="true"))["provisioner"]
    assert f"in Auto Mode, the driver is `{driver}`" in PAGE.read_text()


@cache
def kubectl_help(*words: str) -> str:
    done = subprocess.run([built("kubectl"), *words, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (
        done.stdout + subprocess.run([built("kubectl"), "options"], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.parametrize(("page", "command"), KUBECTL)
def test_kubectl_knows_the_command_and_its_options(page: str, command: str) -> None:
    words = shlex.split(re.sub(r"^kubectl -n \S+", "kubectl", command))
    text = kubectl_help(words[1])
    options = {word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}
    missing = [option for option in options if not re.search(rf"(^|[\s,]){option}\b", text)]
    assert missing == [], f"{page}: {command}"
