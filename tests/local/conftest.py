"""A machine with chosen programs: kind, k3d, minikube, Docker and crane are scripts that record their calls."""

import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from local import cluster, docker_clusters, image_registry, images, simulator_image
from local.docker_clusters import MAKERS, NAME
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
    monkeypatch.setattr(image_registry, "NODE_ROOT", state / "node")
    for name in ("KUBE_CONTEXT", "CLUSTER", "IMAGE_REGISTRY"):
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
