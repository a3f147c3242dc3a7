"""`make up` chooses a cluster and says why. kind, k3d, minikube and Docker are programs that record their calls.

A real run of the three needs Docker, and is not part of the tests.
"""

import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from local import choice, cluster
from local.errors import LocalError


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


@pytest.mark.parametrize(("name", "value"), [("KUBE_CONTEXT", "mine"), ("CLUSTER", "kind")])
def test_a_registry_for_the_embedded_cluster_is_refused_for_another(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    machine("kind", "docker")
    monkeypatch.setenv("IMAGE_REGISTRY", "127.0.0.1:5000")
    monkeypatch.setenv(name, value)
    with pytest.raises(LocalError) as refusal:
        choice.choose()
    assert str(refusal.value) == (
        f"IMAGE_REGISTRY=127.0.0.1:5000 is for the embedded cluster only (cluster: {value}, because {name} names it); "
        "unset it, or use the setting imageRegistry"
    )
