"""A cluster in Docker is made once, gets the simulator's image without a registry, and is removed again.

kind, k3d, minikube and Docker are programs that record their calls. A real run needs Docker, and is not part of the
tests.
"""

import json
import os
import shutil
import tarfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from local import choice, debian, docker_clusters, images
from local.docker_clusters import MAKERS, NAME
from local.errors import LocalError
from settings import versions
from tests.local.conftest import calls

EXPECTED = {
    "kind": [
        "kind get clusters",
        f"kind create cluster --name={NAME} --wait=180s",
        f"kind load image-archive ARCHIVE --name={NAME}",
        f"kind delete cluster --name={NAME}",
    ],
    "k3d": [
        "k3d cluster list --output=json",
        f"k3d cluster create {NAME} --wait --timeout=180s --kubeconfig-update-default=false "
        "--k3s-arg=--disable=traefik@server:* --k3s-arg=--disable=metrics-server@server:*",
        f"k3d kubeconfig get {NAME}",
        f"k3d image import ARCHIVE --cluster={NAME}",
        f"k3d cluster delete {NAME}",
    ],
    "minikube": [
        "minikube profile list --output=json",
        f"minikube start --profile={NAME} --driver=docker --cni=calico --embed-certs --memory=5g",
        f"minikube image load ARCHIVE --profile={NAME}",
        f"minikube delete --profile={NAME}",
    ],
}


@pytest.mark.parametrize("maker", MAKERS)
def test_the_cluster_is_made_once_loaded_once_and_deleted(
    machine: Callable[..., Path], maker: str, tmp_path: Path
) -> None:
    log = machine(maker, "docker")
    choice.up(choice.choose())
    assert (tmp_path / "state/kubeconfig").read_text() == "kubeconfig\n"
    assert (tmp_path / "state/kubeconfig").stat().st_mode & 0o777 == 0o600, "it has the cluster's keys"
    made = calls(log)
    choice.up(choice.choose())
    again = calls(log)[len(made) :]
    choice.down()
    own = [one for one in calls(log) if one.startswith(maker)]
    distinct = list(dict.fromkeys(own))
    archive = next(word for one in distinct for word in one.split() if word.endswith(".tar"))
    assert [one.replace(archive, "ARCHIVE") for one in distinct] == EXPECTED[maker]
    assert [one for one in again if one.startswith(maker)] == EXPECTED[maker][:1], (
        "a second run makes and loads nothing"
    )
    assert not (tmp_path / "state").exists()
    with tarfile.open(tmp_path / "loaded.tar") as tar:
        (manifest,) = json.loads(tar.extractfile("manifest.json").read())  # pyright: ignore[reportOptionalMemberAccess]
        config = json.loads(tar.extractfile("config.json").read())  # pyright: ignore[reportOptionalMemberAccess]
    assert manifest["RepoTags"] == [f"docker.io/{versions.SIMULATOR_IMAGE}"], "the name that pods on the node ask for"
    assert (config["os"], config["architecture"]) == ("linux", images.ARCHITECTURE)


def test_a_system_without_debian_packages_lets_docker_build_the_image(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = machine("kind", "docker")
    monkeypatch.setattr(debian, "available", lambda: False)
    choice.up(choice.choose())
    assert f"docker build --quiet --file=simulator/Dockerfile --tag={versions.SIMULATOR_IMAGE} ." in calls(log)
    assert (tmp_path / "loaded.tar").read_text() == "archive\n"


def test_an_interrupted_creation_is_repeated_from_the_start(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = machine("kind", "docker")
    monkeypatch.setenv("FAILS", "create cluster")
    with pytest.raises(LocalError, match=rf"`kind create cluster --name={NAME} --wait=180s` failed:\nsome output\nthe"):
        choice.up(choice.choose())
    Path(os.environ["CLUSTERS"]).write_text(NAME)
    monkeypatch.setenv("FAILS", "nothing fails")
    choice.up(choice.choose())
    assert [one.split()[1] for one in calls(log) if one.startswith("kind")][-5:] == [
        *("get", "get", "delete", "create", "load"),
    ]


def test_an_interrupted_load_is_repeated(machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    log = machine("kind", "docker")
    monkeypatch.setenv("FAILS", "load image-archive")
    with pytest.raises(LocalError, match="the reason"):
        choice.up(choice.choose())
    monkeypatch.setenv("FAILS", "nothing fails")
    choice.up(choice.choose())
    assert [one.split()[1] for one in calls(log) if one.startswith("kind")][-2:] == ["get", "load"]


def test_a_docker_that_does_not_run_is_named(machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    log = machine("kind", "docker")
    monkeypatch.setenv("FAILS", "docker info")
    with pytest.raises(LocalError) as refusal:
        choice.up(choice.choose())
    assert str(refusal.value) == (
        "kind needs a running Docker: the reason. Start Docker, or use another cluster: KUBE_CONTEXT=name make up, "
        "or, on Linux as root, CLUSTER=embedded make up"
    )
    assert not [one for one in calls(log) if one.startswith("kind")]


def test_nodes_of_another_architecture_are_refused(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("kind", "docker")
    monkeypatch.setenv("NODES", f"{images.ARCHITECTURE} s390x")
    with pytest.raises(LocalError, match=rf"made for {images.ARCHITECTURE}, like this machine, and nodes .* are s390x"):
        choice.up(choice.choose())


def test_a_nearly_full_disk_is_refused_before_anything_is_made(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = machine("kind", "docker")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 << 30, 0, 1 << 30))
    with pytest.raises(LocalError, match=r"disk nearly full: .* has 1\.0 GiB free, 10 GiB are needed"):
        choice.up(choice.choose())
    assert [one for one in calls(log) if "create" in one] == []


def test_an_unreadable_record_says_what_to_do(machine: Callable[..., Path]) -> None:
    machine()
    docker_clusters.STATE.mkdir()
    docker_clusters._RECORD.write_text("{}")
    with pytest.raises(LocalError, match=f"docker-cluster.json cannot be read; remove it, and the cluster {NAME}"):
        choice.existing()
