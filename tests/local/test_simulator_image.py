"""Both ways to make the simulator's image give it the same files, programs start from them; and it can be pushed."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from local import __main__ as command_line
from local import images
from local.errors import LocalError
from settings import versions
from settings.apps import SIMULATED
from simulator.systems.roles import ROLES
from tests.local.conftest import calls
from tests.mock_engine import ROOT


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Path in the image -> folder of this project."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3.11").touch()
    monkeypatch.setattr("local.images.debian.root", lambda *_: tmp_path)
    monkeypatch.setattr("local.images._simulator_packages", lambda _: tmp_path)
    (image,) = [one for one in images.IMAGES if one.reference == versions.SIMULATOR_IMAGE]
    return {target: str(one.relative_to(ROOT)) for target, one in image.files().items() if one.is_relative_to(ROOT)}


def test_the_catalogue_names_the_programs_that_the_image_has() -> None:
    """The image has no settings/, so the simulator names its roles and services itself."""
    catalogue = {one.role: one.app for system in SIMULATED.values() for one in system.programs}
    assert catalogue == {role: service for role, (service, _) in ROLES.items()}


def test_the_dockerfile_copies_what_the_local_image_has(sources: dict[str, str]) -> None:
    lines = re.findall(r"^COPY (\S+) (/app\S+)$", (ROOT / "simulator/Dockerfile").read_text(), re.MULTILINE)
    assert {target: source for source, target in lines} == sources


def test_every_program_starts_from_the_files_of_the_image(sources: dict[str, str], tmp_path: Path) -> None:
    for target, source in sources.items():
        shutil.copytree(ROOT / source, tmp_path / target.strip("/"), ignore=shutil.ignore_patterns("__pycache__"))
    code = "import simulator.receiver.server, simulator.__main__ as one; [one.build(role) for role in one.ROLES]"
    environment = {"PYTHONPATH": str(tmp_path / "app"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_images_with_the_same_python_have_its_layer_in_common(sources: dict[str, str], tmp_path: Path) -> None:
    """So that a node stores it once."""
    assert sources
    python, simulator = (
        next(one for one in images.IMAGES if one.reference == reference)
        for reference in (versions.PYTHON_IMAGE, versions.SIMULATOR_IMAGE)
    )
    layers: list[list[str]] = []
    for number, image in enumerate((python, simulator)):
        folder = tmp_path.with_name(f"{tmp_path.name}-{number}")
        folder.mkdir()
        images.write_archive(image, folder / "image.tar")
        with tarfile.open(folder / "image.tar") as archive:
            (manifest,) = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
            config = json.load(archive.extractfile("config.json") or pytest.fail("no configuration"))
            for name, digest in zip(manifest["Layers"], config["rootfs"]["diff_ids"], strict=True):
                content = archive.extractfile(name) or pytest.fail("no layer")
                assert digest == f"sha256:{hashlib.sha256(content.read()).hexdigest()}"
        layers.append(config["rootfs"]["diff_ids"])
    assert (len(layers[0]), len(layers[1])) == (1, 2)
    assert layers[0][0] == layers[1][0]


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
