"""The embedded cluster pulls from a registry on this machine, named once, through a relay to the node's link."""

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local import choice, cluster, image_registry
from local.errors import LocalError
from settings import versions


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a checkout without a cluster."""
    monkeypatch.setattr(image_registry, "STATE", tmp_path)
    monkeypatch.setattr(image_registry, "NODE_ROOT", tmp_path / "node")
    monkeypatch.setattr(image_registry, "_RECORD", tmp_path / "image-registry")
    monkeypatch.delenv(image_registry.VARIABLE, raising=False)
    return tmp_path


def test_images_are_made_here_unless_a_registry_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert image_registry.used() == ""
    assert not choice.Choice(maker="embedded", reason="").pulls
    monkeypatch.setenv("IMAGE_REGISTRY", "127.0.0.1:5000/mirror")
    assert image_registry.used() == "127.0.0.1:5000/mirror"
    assert choice.Choice(maker="embedded", reason="").pulls, "nothing is built"


@pytest.mark.parametrize(
    "wrong",
    [
        *("registry.example.com", "10.0.0.1:5000", "http://localhost:5000"),
        *("127.0.0.1", "localhost:0", "localhost:5000/", "localhost:5000/A"),
    ],
)
def test_a_registry_that_the_node_cannot_reach_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("IMAGE_REGISTRY", wrong)
    with pytest.raises(LocalError) as error:
        image_registry.used()
    assert str(error.value) == (
        f"IMAGE_REGISTRY={wrong} is not allowed; allowed: 127.0.0.1:PORT or localhost:PORT, also with a folder, such "
        "as 127.0.0.1:5000/mirror, because the node reaches this machine only"
    )


def test_a_cluster_keeps_its_source_of_images(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_registry.remember("")
    (state / "node").mkdir()
    assert image_registry.used() == ""
    monkeypatch.setenv("IMAGE_REGISTRY", "localhost:5000")
    with pytest.raises(LocalError, match=r"cluster has images that were made here; remove it by `make down`"):
        image_registry.used()
    image_registry.remember("127.0.0.1:6000")
    with pytest.raises(LocalError, match=r"cluster pulls its images from 127\.0\.0\.1:6000; remove it by `make down`"):
        image_registry.used()
    monkeypatch.delenv("IMAGE_REGISTRY")
    assert image_registry.used() == "127.0.0.1:6000", "also for the commands after `make up`"


@pytest.mark.usefixtures("state")
def test_a_registry_that_does_not_answer_is_one_clear_error() -> None:
    with pytest.raises(LocalError, match=r"^IMAGE_REGISTRY=127\.0\.0\.1:1/a: no registry answers at 127\.0\.0\.1:1 \("):
        image_registry.connect(cast(Any, SimpleNamespace(host_address="127.0.0.1")), "127.0.0.1:1/a")


def test_an_image_has_its_full_name_below_the_registry() -> None:
    assert image_registry.reference("registry.k8s.io/pause:3.10", "") == "registry.k8s.io/pause:3.10"
    assert image_registry.reference(versions.SIMULATOR_IMAGE, "127.0.0.1:5000/m") == (
        f"127.0.0.1:5000/m/docker.io/{versions.SIMULATOR_IMAGE}"
    )


def test_the_node_has_every_program_that_its_services_start() -> None:
    services = Path(cluster.__file__).parent / "node" / "service"
    started = {
        line.split()[1]
        for file in services.glob("*/run")
        for line in file.read_text().splitlines()
        if line.startswith("exec ")
    }
    assert {"containerd", "kubelet"} <= started
    assert started - {"containerd"} <= set(image_registry.PROGRAMS)


def test_the_relay_passes_both_directions_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as registry:
        port = registry.getsockname()[1]

        def answer() -> None:
            peer, _ = registry.accept()
            with peer:
                text = b""
                while more := peer.recv(1000):
                    text += more
                peer.sendall(text.upper())

        threading.Thread(target=answer, daemon=True).start()
        with image_registry.Relay("127.0.0.2", port) as relay:
            threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
            with socket.create_connection(("127.0.0.2", port)) as node:
                node.sendall(b"hello" * 100_000)
                node.shutdown(socket.SHUT_WR)
                answered = b""
                while more := node.recv(1 << 16):
                    answered += more
            relay.shutdown()
    assert answered == b"HELLO" * 100_000
