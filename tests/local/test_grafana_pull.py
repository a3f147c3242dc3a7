"""The embedded cluster gets Grafana's image from a registry that answers in time, and says why if it does not.

A server on loopback answers for the registry, and a script for crane.
"""

import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local import grafana_pull
from local.errors import LocalError

FAKE = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$ANSWER" in
  image) for file in "$@"; do :; done; echo image > "$file" ;;
  wait) exec sleep 60 ;;
  *) echo "some output" >&2; echo "Error: $ANSWER" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def registry() -> Generator[str]:
    """An image's name in a registry that wants a login, as Docker Hub does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/grafana/grafana:1.2.3"
        server.shutdown()


@pytest.fixture
def crane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`crane("image")` pulls, `crane("wait")` hangs, and any other text is its error. Returns the file of its calls."""
    program = tmp_path / "crane"
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(grafana_pull, "tool", lambda _: program)
    monkeypatch.setattr("local.grafana_home.available", lambda: False)

    def answers(text: str) -> Path:
        monkeypatch.setenv("ANSWER", text)
        return tmp_path / "calls"

    return answers


def test_the_image_is_pulled_once(registry: str, crane: Callable[[str], Path]) -> None:
    calls = crane("image")
    first = grafana_pull.archive(registry)
    assert first
    assert first.read_text() == "image\n"
    assert grafana_pull.archive(registry) == first
    (call,) = calls.read_text().splitlines()
    assert call.startswith(f"pull --platform=linux/{grafana_pull.images.ARCHITECTURE} {registry} ")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("MANIFEST_UNKNOWN: manifest unknown", "cannot be pulled: Error: MANIFEST_UNKNOWN: manifest unknown"),
        ("wait", "was not pulled within 0.2 s"),
    ],
)
def test_a_registry_that_refuses_or_hangs_is_one_line_and_no_error(
    registry: str,
    crane: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    reason: str,
) -> None:
    crane(answer)
    monkeypatch.setattr(grafana_pull, "PULL_SECONDS", 0.2)
    assert grafana_pull.archive(registry) is None
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"Grafana: left out, because {registry} {reason}. With an unpacked release it runs all the same: "
        "GRAFANA_HOME=folder make up"
    )
    assert grafana_pull.archive(registry) is None, "half an image is not kept"


def test_without_an_answer_crane_is_neither_built_nor_run(
    crane: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = crane("image")
    assert grafana_pull.archive("127.0.0.1:1/grafana/grafana:1.2.3") is None
    assert "because the registry 127.0.0.1:1 does not answer (" in capsys.readouterr().err
    assert not calls.exists()


def test_a_crane_that_cannot_be_built_leaves_grafana_out(
    registry: str, crane: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crane("image")

    def refuse(_: str) -> Path:
        raise LocalError("crane: the build failed")

    monkeypatch.setattr(grafana_pull, "tool", refuse)
    assert grafana_pull.archive(registry) is None
    assert "left out, because crane: the build failed" in capsys.readouterr().err


def test_nothing_is_asked_if_grafana_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.grafana_home.available", lambda: True)
    monkeypatch.setattr(grafana_pull, "_require_answer", lambda _: pytest.fail("a registry was asked"))
    assert grafana_pull.archive() is None
