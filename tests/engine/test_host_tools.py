"""Where nodes pull images, nothing is compiled if the Pulumi CLI can download the Kubernetes provider."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from engine import host_tools
from engine.workspace import machine_config, official_plugin
from local.docker_clusters import MAKERS
from local.images import IMAGES
from settings import versions
from settings.images import pulled
from settings.stack import parse
from tests.mock_engine import stack_config

CLI = """#!/bin/sh
echo "$*" >> "$CALLS"
[ -n "$REFUSES" ] && { echo "first line" >&2; echo "error: no such host" >&2; exit 255; }
mkdir -p "$PULUMI_HOME/plugins/resource-kubernetes-v$5"
: > "$PULUMI_HOME/plugins/resource-kubernetes-v$5/pulumi-resource-kubernetes"
"""


@pytest.fixture
def ensured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[list[list[str]], list[str]]]:
    """Runs `ensure`. Returns the programs that it wanted, call by call, and what the Pulumi CLI was called with."""
    wanted: list[list[str]] = []
    cli = tmp_path / "pulumi"
    cli.write_text(CLI)
    cli.chmod(0o755)
    for name, value in {
        "CALLS": tmp_path / "calls",
        "PULUMI_HOME": tmp_path / "home",
        "REFUSES": "",
        "XDG_CACHE_HOME": tmp_path / "cache",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(host_tools.toolchain, "ensure", wanted.append)
    monkeypatch.setattr(host_tools.toolchain, "tool", lambda _: cli)
    monkeypatch.setattr(host_tools.toolchain, "present", lambda _: None)

    def run() -> tuple[list[list[str]], list[str]]:
        host_tools.ensure()
        calls = tmp_path / "calls"
        return wanted, calls.read_text().splitlines() if calls.exists() else []

    return run


def test_the_provider_is_downloaded_once(ensured: Callable[[], tuple[list[list[str]], list[str]]]) -> None:
    download = f"plugin install resource kubernetes {versions.PULUMI_KUBERNETES}"
    assert ensured() == ([["pulumi", "kubectl"]], [download])
    assert official_plugin("kubernetes"), "the program uses what was downloaded"
    assert version("pulumi-kubernetes") == versions.PULUMI_KUBERNETES
    assert ensured() == ([["pulumi", "kubectl"]] * 2, [download])


def test_a_provider_that_cannot_be_downloaded_is_built(
    ensured: Callable[[], tuple[list[list[str]], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REFUSES", "yes")
    wanted, _ = ensured()
    assert wanted == [["pulumi", "kubectl"], ["pulumi-resource-kubernetes"]]
    assert "no download (error: no such host); it is built instead" in capsys.readouterr().err


def test_a_provider_that_was_built_is_used(
    ensured: Callable[[], tuple[list[list[str]], list[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(host_tools.toolchain, "present", lambda _: tmp_path)
    assert ensured() == ([["pulumi", "kubectl"]], [])


@pytest.mark.parametrize("in_docker", [True, False])
def test_the_local_stack_runs_the_alertmanager_of_its_cluster(in_docker: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBE_CONTEXT", raising=False)
    monkeypatch.setattr("local.image_registry.recorded", lambda: "")
    monkeypatch.setattr("local.docker_clusters.recorded", lambda: next(iter(MAKERS.values())) if in_docker else None)
    built = machine_config("local")["observability:builtImages"]
    settings = parse(stack_config("local") | {"builtImages": built}, [])
    version = versions.ALERTMANAGER if in_docker else versions.ALERTMANAGER_EMBEDDED
    assert settings.alertmanager_image == f"quay.io/prometheus/alertmanager:v{version}"
    assert (settings.alertmanager_image in {one.reference for one in IMAGES}) is not in_docker


def test_the_local_stack_pulls_from_the_registry_of_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.image_registry.recorded", lambda: "")
    assert "observability:imageRegistry" not in machine_config("local")
    monkeypatch.setattr("local.image_registry.recorded", lambda: "127.0.0.1:5000/mirror")
    chosen = machine_config("local")["observability:imageRegistry"]
    settings = parse(stack_config("local") | {"imageRegistry": json.dumps(chosen)}, [])
    assert pulled(versions.LOKI_IMAGE, settings.values.image_registry) == (
        f"127.0.0.1:5000/mirror/{versions.LOKI_IMAGE}"
    )
