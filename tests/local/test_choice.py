"""`make up` chooses a cluster and says why. kind, k3d, minikube and Docker are programs that record their calls.

A real run of the three needs Docker, and is not part of the tests.
"""

import json
import os
import platform
import shutil
import tarfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from local import __main__ as command_line
from local import choice, cluster, debian, docker_clusters, images, simulator_image
from local.docker_clusters import MAKERS, NAME
from local.errors import LocalError
from settings import versions

FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  *"$FAILS"*) echo "some output"; echo "the reason" >&2; exit 1 ;;
  docker\\ info*) echo 29.0.1 ;;
  docker\\ image\\ inspect*) echo sha256:abc ;;
  crane\\ push*) cp "$2" "$ARCHIVE" ;;
  docker\\ save*) echo archive > "${2#--output=}" ;;
  kubectl*) echo "$NODES" ;;
  *get\\ clusters|*list*) cat "$CLUSTERS" ;;
  *load*|*import*) for one in "$@"; do case "$one" in *.tar) cp "$one" "$ARCHIVE" ;; esac; done ;;
  k3d\\ cluster\\ create*) echo "$NAME" > "$CLUSTERS" ;;
  *create*|*start*) echo "$NAME" > "$CLUSTERS"; echo kubeconfig > "$KUBECONFIG" ;;
  *kubeconfig*) echo kubeconfig ;;
  *delete*) : > "$CLUSTERS" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`machine("kind", "docker")` has these programs only. Returns the file with their calls."""
    state = tmp_path / "state"
    for module in (docker_clusters, cluster):
        monkeypatch.setattr(module, "STATE", state)
    monkeypatch.setattr(docker_clusters, "_RECORD", state / "docker-cluster.json")
    monkeypatch.setattr(docker_clusters, "KUBECONFIG", state / "kubeconfig")
    monkeypatch.setattr(cluster, "NODE_ROOT", state / "node")
    monkeypatch.setattr(cluster, "OTHER_STACKS", state / "stacks")
    for name in ("KUBE_CONTEXT", "CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3.11").touch()
    monkeypatch.setattr("local.images.debian.root", lambda *_: tmp_path / "usr")
    monkeypatch.setattr("local.images._simulator_files", lambda: {"/usr": tmp_path / "usr"})
    monkeypatch.setattr(
        "local.images.IMAGES",
        (images.Image(reference=versions.SIMULATOR_IMAGE, files=lambda: {"/usr": tmp_path / "usr"}),),
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for module in (docker_clusters, simulator_image):
        monkeypatch.setattr(module, "tool", lambda name: programs / name)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 << 30, 0, 100 << 30))
    for name, value in {
        "PATH": f"{programs}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "CALLS": str(tmp_path / "calls"),
        "CLUSTERS": str(tmp_path / "clusters"),
        "ARCHIVE": str(tmp_path / "loaded.tar"),
        "NAME": NAME,
        "NODES": images.ARCHITECTURE,
        "FAILS": "nothing fails",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "clusters").touch()
    # Programs that this machine has are not those of the test.
    real = shutil.which
    hidden = {*MAKERS, "docker"}
    monkeypatch.setattr(shutil, "which", lambda name: real(name, path=str(programs)) if name in hidden else real(name))

    def install(*names: str) -> Path:
        for name in (*names, "kubectl", "crane"):
            (programs / name).write_text(FAKE)
            (programs / name).chmod(0o755)
        return tmp_path / "calls"

    return install


def calls(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(
    ("programs", "machine_kind", "environment", "expected"),
    [
        (("kind", "docker"), ("Linux", True), {"KUBE_CONTEXT": "mine"}, ("", "KUBE_CONTEXT names it")),
        (("kind", "k3d", "minikube", "docker"), ("Linux", True), {}, ("kind", "kind and docker are on PATH")),
        (("k3d", "minikube", "docker"), ("Linux", False), {}, ("k3d", "k3d and docker are on PATH")),
        (("minikube", "docker"), ("Darwin", False), {}, ("minikube", "minikube and docker are on PATH")),
        (("kind", "docker"), ("Linux", True), {"CLUSTER": "embedded"}, ("embedded", "CLUSTER names it")),
        (("kind", "k3d", "docker"), ("Linux", False), {"CLUSTER": "k3d"}, ("k3d", "CLUSTER names it")),
        (
            ("docker",),
            ("Linux", True),
            {},
            ("embedded", "none of kind, k3d, minikube is on PATH, and this is Linux with root"),
        ),
        (("kind",), ("Linux", True), {}, ("embedded", "docker is not on PATH (kind is), and this is Linux with root")),
    ],
)
def test_the_first_possible_cluster_is_chosen(
    machine: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    programs: tuple[str, ...],
    machine_kind: tuple[str, bool],
    environment: dict[str, str],
    expected: tuple[str, str],
) -> None:
    machine(*programs)
    system, root = machine_kind
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(platform, "system", lambda: system)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    chosen = choice.choose()
    assert (chosen.maker, chosen.reason) == expected
    assert str(chosen) == f"cluster: {expected[0] or 'mine'}, because {expected[1]}"
    assert chosen.pulls is (expected[0] != "embedded")


@pytest.mark.parametrize(
    ("programs", "machine_kind", "why"),
    [
        ((), ("Linux", False), "none of kind, k3d, minikube is on PATH"),
        (("kind",), ("Linux", False), "docker is not on PATH (kind is)"),
        (("docker",), ("Darwin", True), "none of kind, k3d, minikube is on PATH"),
    ],
)
def test_one_error_names_all_possibilities(
    machine: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    programs: tuple[str, ...],
    machine_kind: tuple[str, bool],
    why: str,
) -> None:
    machine(*programs)
    system, root = machine_kind
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(platform, "system", lambda: system)
    with pytest.raises(LocalError) as refusal:
        choice.choose()
    assert str(refusal.value) == (
        f"no cluster: KUBE_CONTEXT is not set, {why}, and the embedded cluster needs Linux with root. Name a cluster "
        "of yours (KUBE_CONTEXT=name make up), or install Docker and kind, k3d or minikube, or run on Linux as root"
    )


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"CLUSTER": "kubernetes"}, "CLUSTER=kubernetes is not allowed; allowed: embedded, kind, k3d, minikube"),
        (
            {"CLUSTER": "kind", "KUBE_CONTEXT": "c"},
            "CLUSTER=kind and KUBE_CONTEXT=c name two clusters; set one of them",
        ),
    ],
)
def test_a_wrong_choice_is_refused(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    machine("kind", "docker")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LocalError) as refusal:
        choice.choose()
    assert str(refusal.value) == problem


def test_a_checkout_keeps_its_cluster(machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    machine("k3d", "docker")
    choice.up(choice.choose())
    machine("kind")
    assert choice.choose() == choice.Choice(maker="k3d", reason="this checkout has it")
    assert choice.runs_grafana()
    monkeypatch.setenv("CLUSTER", "kind")
    with pytest.raises(
        LocalError, match=r"CLUSTER=kind: this checkout has a cluster \(k3d\); remove it by `make down`"
    ):
        choice.choose()
    monkeypatch.delenv("CLUSTER")
    choice.down()
    assert choice.choose().maker == "kind"
    (cluster.NODE_ROOT).mkdir(parents=True)
    assert choice.choose() == choice.Choice(maker="embedded", reason="this checkout has it")


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
        f"minikube start --profile={NAME} --driver=docker --cni=calico --embed-certs --memory=5g "
        f"--kubernetes-version=v{versions.KUBERNETES}",
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


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("registry.example.com/team/simulator", f"registry.example.com/team/simulator:{versions.SIMULATOR}"),
        ("127.0.0.1:5000/simulator", f"127.0.0.1:5000/simulator:{versions.SIMULATOR}"),
        ("mirror:5000/simulator:mine", "mirror:5000/simulator:mine"),
        ("localhost/simulator:1", "localhost/simulator:1"),
    ],
)
def test_the_simulator_image_is_pushed(
    machine: Callable[..., Path], tmp_path: Path, name: str, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = machine()
    command_line.simulator_image_command(push=name)
    (call,) = calls(log)
    assert (call.split()[:2], call.split()[3:]) == (["crane", "push"], [reference])
    assert tarfile.is_tarfile(tmp_path / "loaded.tar")
    assert f"SIMULATOR_IMAGE={reference} KUBE_CONTEXT=name make up" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["", "simulator", "team/simulator", "https://registry.example.com/simulator", "registry.example.com/Team/s"]
)
def test_a_name_without_a_registry_is_refused(machine: Callable[..., Path], name: str) -> None:
    log = machine()
    with pytest.raises(LocalError, match=rf"PUSH={name} is not allowed; allowed: a registry's host, a path"):
        command_line.simulator_image_command(push=name)
    assert calls(log) == []


def test_a_registry_that_refuses_is_named(machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setenv("FAILS", "crane push")
    with pytest.raises(LocalError) as refusal:
        command_line.simulator_image_command(push="registry.example.com/simulator:1")
    assert str(refusal.value) == "registry.example.com/simulator:1 cannot be pushed: the reason"
