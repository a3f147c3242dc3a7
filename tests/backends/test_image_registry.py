"""A real registry on loopback: images are pushed to it as the embedded cluster needs them, and pulled again."""

import json
import re
import subprocess
import tarfile
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local import grafana_pull, image_registry, images, simulator_image
from local.errors import LocalError
from local.images import Image
from local.toolchain import built
from settings import versions

NODE = "docker.io/observability/node:1"


@pytest.fixture
def registry(tmp_path: Path) -> Generator[str]:
    """Host and port of an empty registry."""
    command = [built("crane"), "registry", "serve", "--address=127.0.0.1:0", f"--disk={tmp_path}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        found = None
        while not found and (line := process.stderr.readline()):
            found = re.search(r"port (\d+)|:(\d+)$", line.strip())
        assert found, "the registry does not say its port"
        try:
            yield f"127.0.0.1:{found[1] or found[2]}"
        finally:
            process.kill()


@pytest.fixture
def one_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The images are one small file."""
    file, crane = tmp_path / "program", built("crane")
    file.write_text("a program")
    small = [
        Image(reference=reference, files=lambda: {"/bin/program": file}, entrypoint=("/bin/program",))
        for reference in (versions.GRAFANA_IMAGE, versions.SIMULATOR_IMAGE)
    ]
    monkeypatch.setattr(images, "images", lambda: tuple(small))
    monkeypatch.setattr(images, "simulator", lambda: small[1])
    monkeypatch.setattr(
        image_registry, "_NODE", Image(reference="docker.io/observability/node:1", files=small[0].files)
    )
    monkeypatch.setattr("local.debian.available", lambda: True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for module in (image_registry.toolchain, simulator_image, grafana_pull):
        monkeypatch.setattr(module, "tool", lambda _: crane)
    return file


def test_every_image_is_pushed_and_found_under_its_full_name(
    registry: str, one_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_registry, "STATE", tmp_path)
    monkeypatch.setattr(image_registry, "NODE_ROOT", tmp_path / "node")
    monkeypatch.setattr(image_registry, "_RECORD", tmp_path / "image-registry")
    image_registry.fill(f"{registry}/mirror")
    # The node's link is another address of this machine; 127.0.0.2 stands for it.
    image_registry.connect(cast(Any, SimpleNamespace(host_address="127.0.0.2")), f"{registry}/mirror")
    assert json.loads((tmp_path / "images.json").read_text()) == {versions.GRAFANA_IMAGE: f"{registry}/mirror"}
    (hosts,) = (tmp_path / "node/etc/containerd/certs.d").rglob("hosts.toml")
    assert hosts.parent.name == registry
    relayed = registry.replace("127.0.0.1", "127.0.0.2")
    assert f'server = "http://{relayed}"' in hosts.read_text()
    crane = image_registry.toolchain.tool("crane")
    for reference in (
        versions.GRAFANA_IMAGE,
        f"docker.io/{versions.SIMULATOR_IMAGE}",
        "docker.io/observability/node:1",
    ):
        command = [crane, "--insecure", "export", f"{relayed}/mirror/{reference}", "-"]
        pulled = subprocess.run(command, capture_output=True, check=True)
        assert b"a program" in pulled.stdout


def test_grafana_is_pulled_as_an_archive_that_containerd_imports(
    registry: str, one_image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.grafana_home.available", lambda: False)
    image_registry.fill(registry)
    name = f"{registry}/{versions.GRAFANA_IMAGE}"
    archive = grafana_pull.archive(name)
    assert archive
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        (entry,) = json.load(manifest)
    assert entry["RepoTags"] == [name], "the name that pods use"


def test_an_image_that_the_registry_lacks_leaves_grafana_out(
    registry: str, one_image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.grafana_home.available", lambda: False)
    assert grafana_pull.archive(f"{registry}/grafana/grafana:0") is None
    assert f"left out, because {registry}/grafana/grafana:0 cannot be pulled: " in capsys.readouterr().err


def test_the_simulator_is_pushed_and_a_registry_that_is_away_is_one_clear_error(registry: str, one_image: Path) -> None:
    assert simulator_image.push(f"{registry}/team/simulator") == f"{registry}/team/simulator:{versions.SIMULATOR}"
    with pytest.raises(LocalError, match=r"^127\.0\.0\.1:1/simulator:.* cannot be pushed: "):
        simulator_image.push("127.0.0.1:1/simulator")
