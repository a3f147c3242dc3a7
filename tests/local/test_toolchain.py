"""The toolchain keeps its promises: pins agree, a failed build leaves nothing, unknown names are refused."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components import versions
from local import toolchain
from local.errors import LocalError
from local.paths import ROOT, TOOLS


@pytest.fixture
def small_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toolchain.GoModule:
    """A Go module of two files in a folder of its own, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(toolchain, "TOOLS", tmp_path / "tools")
    folder = tmp_path / "tools" / "pause"
    folder.mkdir(parents=True)
    for file in (TOOLS / "pause").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return next(module for module in toolchain.MODULES if module.folder == "pause")


@pytest.mark.parametrize("module", [m for m in toolchain.MODULES if m.path], ids=lambda m: m.folder)
def test_go_mod_requires_the_pinned_version(module: toolchain.GoModule) -> None:
    text = (TOOLS / module.folder / "go.mod").read_text()
    assert re.search(rf"^(require )?\s*{re.escape(module.path)} {re.escape(module.version)}$", text, re.MULTILINE)
    assert (TOOLS / module.folder / "go.sum").stat().st_size > 1000


def test_every_tool_folder_is_listed() -> None:
    from_maven = {"opensearch"}
    assert {folder.name for folder in TOOLS.iterdir()} == {module.folder for module in toolchain.MODULES} | from_maven


def test_the_engine_and_its_python_sdk_are_one_version() -> None:
    assert f'"pulumi=={versions.PULUMI}"' in (ROOT / "pyproject.toml").read_text()


def test_a_build_lands_once_and_runs(small_module: toolchain.GoModule, capfd: pytest.CaptureFixture[str]) -> None:
    program = toolchain.built("pause")
    process = subprocess.Popen([program])
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    process.wait(timeout=5)
    assert "[1/1] pause" in capfd.readouterr().err
    assert toolchain.built("pause") == program
    assert capfd.readouterr().err == "", "the second call must not build"


def test_a_failed_build_leaves_nothing_and_says_what_to_do(small_module: toolchain.GoModule, tmp_path: Path) -> None:
    (tmp_path / "tools" / "pause" / "main.go").write_text("package main\nfunc main() { missing() }\n")
    with pytest.raises(LocalError, match=r"undefined: missing[\s\S]*Nothing was kept[\s\S]*run the same command again"):
        toolchain.built("pause")
    left = [p.name for p in (tmp_path / "cache/observability-platform/tools").iterdir() if not p.name.endswith(".lock")]
    assert left == []


def test_a_killed_build_leaves_no_tool_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    """SIGKILL in the middle of a build: no program under its final name, and a second run succeeds."""
    code = (
        "from local import toolchain; import pathlib, time\n"
        "toolchain._build_with_progress = lambda *_: time.sleep(60)\n"
        "toolchain.built('pause')"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    tools = tmp_path / "observability-platform" / "tools"
    deadline = time.monotonic() + 20
    while not list(tools.glob(".pause-*-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert process.stderr is not None
    process.stderr.close()
    assert not list(tools.glob("pause-*"))
    assert list(tools.glob(".pause-*-*")), "the killed build left its scratch folder"
    again = subprocess.run(
        [sys.executable, "-c", "from local import toolchain; print(toolchain.built('pause'))"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(again.stdout.strip()).exists()
    assert not list(tools.glob(".pause-*-*"))


def test_an_unknown_tool_names_the_known_ones() -> None:
    with pytest.raises(LocalError, match=r"unknown tool 'prometeus'; known: .*prometheus"):
        toolchain.tool("prometeus")


@pytest.mark.parametrize(("answer", "fits"), [("v3.259.0", True), ("v3.258.1", False), ("nonsense", False)])
def test_a_tool_from_path_is_taken_only_when_it_fits(
    answer: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "pulumi"
    fake.write_text(f"#!/bin/sh\necho {answer}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert (toolchain._from_path("pulumi") == fake) is fits
