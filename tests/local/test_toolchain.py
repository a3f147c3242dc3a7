"""The toolchain: its pins agree, a failed build leaves nothing behind, and it refuses unknown tools.

A script replaces Go. It answers `go env`, `go mod download` and `go build`, and compiles nothing.
"""

import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from local import from_path, toolchain
from local.errors import LocalError
from local.go_modules import GoModule
from local.paths import ROOT, TOOLS
from settings import versions

GO = """#!/bin/sh
case "$1" in
env) echo go1.99.0; exit ;;
mod) echo "{\\"Dir\\": \\"$FAKE_MODULE\\", \\"Zip\\": \\"$FAKE_MODULE.zip\\"}"; echo "$@" >> "$FAKE_LOG"; exit ;;
esac
echo "$PWD $@" >> "$FAKE_LOG"
while [ -e "$FAKE_LOG.wait" ]; do sleep 0.05; done
if grep -q 'missing()' main.go 2>/dev/null; then echo 'undefined: missing'; exit 1; fi
while [ "$1" != -o ]; do shift; done
output=$2; shift 2
for package in "$@"; do
    name=$(basename "$package"); [ "$name" != . ] || name=main
    cat /dev/null $(ls ./*.json ./patched/*.go 2>/dev/null) > "$output/$name"
    [ -s "$output/$name" ] || echo built > "$output/$name"
done
"""


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sets up the script that replaces Go, an empty cache and an empty folder of modules; gives the log of builds."""
    program = tmp_path / "path" / "go"
    program.parent.mkdir()
    program.write_text(GO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "builds"))
    monkeypatch.setenv("FAKE_MODULE", str(tmp_path / "module"))
    monkeypatch.delenv(toolchain.NO_BUILD, raising=False)
    monkeypatch.setattr(toolchain, "TOOLS", tmp_path / "tools")
    return tmp_path / "builds"


@pytest.fixture
def module(tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., GoModule]:
    """`module(name)` adds a module with one program of that name to the toolchain."""
    known: list[GoModule] = []
    monkeypatch.setattr(toolchain, "MODULES", known)

    def make(name: str, *, source: str = "package main\n", **fields: object) -> GoModule:
        folder = tmp_path / "tools" / name
        folder.mkdir(parents=True)
        (folder / "main.go").write_text(source)
        own = {"path": "", "version": "v1", "packages": (".",), "program": name, "cpu_seconds": 1}
        known.append(GoModule(folder=name, **{**own, **fields}))
        return known[-1]

    return make


@pytest.mark.parametrize("pinned", [m for m in toolchain.MODULES if m.path], ids=lambda m: m.folder)
def test_go_mod_requires_the_pinned_version(pinned: GoModule) -> None:
    text = (TOOLS / pinned.folder / "go.mod").read_text()
    assert re.search(rf"^(require )?\s*{re.escape(pinned.path)} {re.escape(pinned.version)}$", text, re.MULTILINE)
    assert (TOOLS / pinned.folder / "go.sum").stat().st_size > 1000


def test_every_tool_folder_is_listed() -> None:
    from_maven = {"opensearch"}
    assert {folder.name for folder in TOOLS.iterdir()} == {module.folder for module in toolchain.MODULES} | from_maven


@pytest.mark.parametrize(
    ("package", "version"), [("pulumi", versions.PULUMI), ("pulumi-kubernetes", versions.PULUMI_KUBERNETES)]
)
def test_engine_and_plugin_have_the_version_of_their_python_package(package: str, version: str) -> None:
    assert f'"{package}=={version}"' in (ROOT / "pyproject.toml").read_text()


def test_a_tool_is_built_once(
    module: Callable[..., GoModule], fake_go: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module("small")
    assert toolchain.present("small") is None
    program = toolchain.built("small")
    assert toolchain.present("small") == program
    assert program.read_text() == "built\n"
    said = capfd.readouterr().err
    assert said.startswith("1 tool to build: ")
    assert re.search(
        r"^\[1/1\] small v1: built in \d+ s, \d+ s of CPU time; less than a minute left$", said, re.MULTILINE
    )
    assert toolchain.built("small") == program
    assert len(fake_go.read_text().splitlines()) == 1, "the second call must not build"


def test_the_longest_build_starts_first(
    module: Callable[..., GoModule], fake_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "_builds_at_once", lambda: 1)
    for name, seconds in (("short", 1), ("long", 300), ("middle", 20)):
        module(name, cpu_seconds=seconds)
    toolchain.ensure()
    started = [re.search(r"/\.(\w+)-v1", line) for line in fake_go.read_text().splitlines()]
    assert [match and match[1] for match in started] == ["long", "middle", "short"]


def test_a_tool_that_the_cluster_does_not_need_is_built_only_by_name(module: Callable[..., GoModule]) -> None:
    module("server")
    module("linter", cluster=False)
    toolchain.ensure()
    assert [one.folder for one in toolchain.MODULES if toolchain._folder(one).exists()] == ["server"]
    toolchain.ensure(["linter"])
    assert toolchain.built("linter").exists()


def test_flags_and_tags_decide_the_folder_and_reach_go(module: Callable[..., GoModule], fake_go: Path) -> None:
    small = module("small", tags=("one", "two"), ldflags="-X a.b=c")
    toolchain.built("small")
    (arguments,) = fake_go.read_text().splitlines()
    assert "-trimpath -gcflags=all=-dwarf=false -ldflags -s -w -X a.b=c -tags one,two" in arguments
    others = (dataclasses.replace(small, tags=()), dataclasses.replace(small, ldflags=""))
    assert len({toolchain._folder(one) for one in (small, *others)}) == 3


def test_files_that_the_program_embeds_are_copied_from_the_module(
    module: Callable[..., GoModule], tmp_path: Path, fake_go: Path
) -> None:
    (tmp_path / "module" / "cmd").mkdir(parents=True)
    (tmp_path / "module" / "cmd" / "schema.json").write_text("{}")
    module("plugin", path="example.com/plugin", embedded=("cmd/schema.json",))
    assert toolchain.built("plugin").read_text() == "{}"


PATCH = """Why this is changed.

--- a/save.go
+++ b/save.go
@@ -1,3 +1,4 @@
 func save() {
-\twrite()
+\t// Twice is safer.
+\twrite(2)
 }
"""


def patched(module: Callable[..., GoModule], tmp_path: Path, text: str) -> GoModule:
    """A module with a patch, whose only file contains `text`."""
    with ZipFile(tmp_path / "module.zip", "w") as archive:
        archive.writestr("example.com/engine@v1/save.go", text)
    changed = module("engine", path="example.com/engine")
    (tmp_path / "tools" / "engine" / "twice.patch").write_text(PATCH)
    return changed


def test_a_module_is_built_with_its_patch(module: Callable[..., GoModule], tmp_path: Path, fake_go: Path) -> None:
    patched(module, tmp_path, "func save() {\n\twrite()\n}\n")
    assert toolchain.built("engine").read_text() == "func save() {\n\t// Twice is safer.\n\twrite(2)\n}\n"
    assert "mod edit -replace=example.com/engine=./patched" in fake_go.read_text()


@pytest.mark.parametrize(
    "text",
    ["func save() {\n\twrite(1)\n}\n", 2 * "func save() {\n\twrite()\n}\n"],
    ids=["nowhere", "in two places"],
)
def test_a_patch_that_does_not_fit_stops_the_build(text: str, module: Callable[..., GoModule], tmp_path: Path) -> None:
    changed = patched(module, tmp_path, text)
    with pytest.raises(LocalError, match=r"twice\.patch does not fit save\.go of this version; create a new patch"):
        toolchain.built("engine")
    assert not toolchain._folder(changed).exists()


def test_a_failed_build_leaves_nothing_and_says_what_to_do(module: Callable[..., GoModule], tmp_path: Path) -> None:
    module("broken", source="package main\nfunc main() { missing() }\n")
    with pytest.raises(LocalError, match=r"undefined: missing[\s\S]*Nothing was kept[\s\S]*run the same command again"):
        toolchain.built("broken")
    left = [p.name for p in (tmp_path / "cache/observability-platform/tools").iterdir() if not p.name.endswith(".lock")]
    assert left == []


def test_a_failed_build_ends_the_builds_that_run_at_the_same_time(
    module: Callable[..., GoModule], fake_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "_builds_at_once", lambda: 2)
    module("endless", cpu_seconds=2)
    module("broken", source="missing()")
    module("next", cpu_seconds=0)
    slow = GO.replace('while [ -e "$FAKE_LOG.wait" ]; do', 'while grep -q "^package main" main.go; do')
    (fake_go.parent / "path" / "go").write_text(slow)
    with pytest.raises(LocalError, match="undefined: missing"):
        toolchain.ensure()
    assert not [one.folder for one in toolchain.MODULES if toolchain._folder(one).exists()]


def test_a_killed_build_leaves_no_tool_and_the_next_build_cleans_up(
    module: Callable[..., GoModule], fake_go: Path, tmp_path: Path
) -> None:
    """After a SIGKILL during a build, no program has its final name, and a second run succeeds."""
    small, code = module("pause"), "import sys; from local import toolchain; toolchain.built('pause')"
    (tmp_path / "builds.wait").touch()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, stderr=subprocess.DEVNULL)
    tools = tmp_path / "cache" / "observability-platform" / "tools"
    deadline = time.monotonic() + 60
    while not fake_go.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    (tmp_path / "builds.wait").unlink()
    assert not list(tools.glob("pause-*"))
    assert list(tools.glob(".pause-*-*")), "the killed build left its scratch folder"
    other = tools / ".pause-image-v1-x"  # belongs to another build that runs at the same time
    other.mkdir()
    assert toolchain.built("pause").exists()
    assert list(tools.glob(f".{small.folder}-*-*")) == [other]


def test_an_unknown_tool_names_the_known_ones() -> None:
    with pytest.raises(LocalError, match=r"unknown tool 'prometeus'; known: .*prometheus"):
        toolchain.tool("prometeus")


@pytest.mark.parametrize(
    ("name", "answer", "fits"),
    [
        ("pulumi", "v3.259.0", True),
        ("pulumi", "v3.300.1", True),
        ("pulumi", "v3.258.1", False),
        ("pulumi", "v4.0.0", False),
        ("pulumi", "nonsense", False),
        ("kubectl", "Client Version: v1.32.9", True),
        ("kubectl", "Client Version: v1.36.0", True),
        ("kubectl", "Client Version: v1.31.4", False),
        ("kubectl", "Client Version: v1.37.0", False),
        ("amtool", f"amtool, version {versions.ALERTMANAGER} (branch: HEAD)", True),
        ("amtool", "amtool, version 0.1.0 (branch: HEAD)", False),
        ("prometheus", f"prometheus, version {versions.PROMETHEUS}", False),
    ],
)
def test_a_tool_on_path_is_used_only_when_its_version_fits(
    name: str, answer: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / name
    fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert (from_path.find(name) == fake) is fits


def test_the_targets_build_every_tool_that_their_tests_start() -> None:
    """Tests build nothing, and a machine that has run the cluster before has what a new one lacks."""
    commands = re.findall(r"-m local toolchain ((?:.|\\\n)*?) >/dev/null", (ROOT / "Makefile").read_text())
    built = set(re.findall(r"[\w-]+", " ".join(commands)))
    started: set[str] = set()
    for file in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]:
        if file.parent.name not in ("e2e", "local"):
            started |= set(re.findall(r'\b(?:tool|built|Server)\(\s*"([\w-]+)"', file.read_text()))
    assert {"etcd", "promtool"} <= started
    assert started <= built, "a target of the Makefile must build what its tests start"


@pytest.mark.parametrize(("free", "said"), [(13.9, (None, None)), (14.0, ("400", "3GiB"))])
def test_builds_collect_garbage_seldom_where_there_is_memory(
    monkeypatch: pytest.MonkeyPatch, free: float, said: tuple[str | None, str | None]
) -> None:
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    monkeypatch.setattr(toolchain, "_free_gib", lambda: free)
    environment = toolchain._go_environment()
    assert (environment.get("GOGC"), environment.get("GOMEMLIMIT")) == said
    monkeypatch.setenv("GOGC", "50")
    assert toolchain._go_environment()["GOGC"] == "50"
