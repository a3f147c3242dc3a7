"""Container images for the embedded cluster, made from local builds and Debian packages, with their official names.

An image is a configuration and one layer in the format of `docker save`, which containerd imports. What is unpacked at
`/` is a layer of its own below it, which images have in common. The pods use the same image names, entrypoints and
users as in production.
"""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from local import debian, grafana_home, toolchain
from local.errors import LocalError
from local.node_process import Node
from local.paths import ROOT, STATE, UV, cache
from settings import versions
from settings.images import full_name

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""Architecture of the images: this machine's, by Go's name."""
_IMPORTED = STATE / "images.json"
_NOBODY = "65534:65534"


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: its files, and its configuration."""

    reference: str
    files: Callable[[], dict[str, Path]]
    """Returns a map from absolute paths in the image to files or folders on this machine."""
    entrypoint: tuple[str, ...] = ()
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=dict[str, str])
    workdir: str = "/"


def _program(name: str, path: str) -> Callable[[], dict[str, Path]]:
    return lambda: {path: toolchain.built(name)}


def _kubernetes(name: str) -> Image:
    reference = f"registry.k8s.io/{name}:v{versions.KUBERNETES}"
    return Image(reference=reference, files=_program(name, f"/usr/local/bin/{name}"))


def _python_files() -> dict[str, Path]:
    packages = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "ca-certificates")
    return {"/": debian.root("python", packages)}


def _simulator_files() -> dict[str, Path]:
    python = _python_files()["/"]
    version = next(python.glob("usr/bin/python3.*")).name.removeprefix("python")
    return {
        "/": python,
        "/app/site-packages": _simulator_packages(version),
        "/app/observability_fastapi": ROOT / "instrumentation/src/observability_fastapi",
        "/app/simulator": ROOT / "simulator",
        "/app/rules/contract": ROOT / "rules/contract",
    }


def _simulator_packages(python_version: str) -> Path:
    """A cached folder with the simulator's Python packages, in the versions that `uv.lock` pins."""
    export = [UV, "export", "--frozen", "--quiet", "--only-group", "simulator"]
    export += [
        "--no-emit-project",
        "--no-emit-local",
    ]  # local packages are copied as files; their version does not change with their content
    wanted = _output(export)
    key = hashlib.sha256(f"{python_version}\n{wanted}".encode()).hexdigest()[:12]
    target = cache() / "python" / f"simulator-{key}"
    if not target.is_dir():
        target.parent.mkdir(exist_ok=True)
        with NamedTemporaryFile("w", suffix=".txt") as requirements, TemporaryDirectory(dir=target.parent) as scratch:
            requirements.write(wanted)
            requirements.flush()
            folder = Path(scratch) / "site-packages"
            install = [UV, "pip", "install", "--quiet", "--no-deps", "--python-version", python_version]
            _output([*install, "--target", str(folder), "--requirement", requirements.name])
            folder.rename(target)
    return target


def _output(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"cannot download the simulator's packages from PyPI (uv {command[1]}): {done.stderr.strip()}")
    return done.stdout


IMAGES = (
    Image(
        reference=f"registry.k8s.io/pause:{versions.PAUSE}",
        files=_program("pause", "/pause"),
        entrypoint=("/pause",),
        user="65535:65535",
    ),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    Image(reference=f"registry.k8s.io/etcd:{versions.ETCD}", files=_program("etcd", "/usr/local/bin/etcd")),
    Image(
        reference=f"registry.k8s.io/coredns/coredns:v{versions.COREDNS}",
        files=_program("coredns", "/coredns"),
        entrypoint=("/coredns",),
    ),
    Image(
        reference=versions.PROMETHEUS_IMAGE,
        files=_program("prometheus", "/bin/prometheus"),
        entrypoint=("/bin/prometheus",),
        user=_NOBODY,
    ),
    Image(
        reference=versions.ALERTMANAGER_EMBEDDED_IMAGE,
        files=_program("alertmanager", "/bin/alertmanager"),
        entrypoint=("/bin/alertmanager",),
        user=_NOBODY,
    ),
    Image(
        reference=versions.LOKI_IMAGE,
        files=_program("loki", "/usr/bin/loki"),
        entrypoint=("/usr/bin/loki",),
        user="10001:10001",
    ),
    Image(
        reference=versions.JAEGER_IMAGE,
        files=_program("jaeger", "/cmd/jaeger/jaeger-linux"),
        entrypoint=("/cmd/jaeger/jaeger-linux",),
        user="10001:10001",
    ),
    Image(
        reference=versions.OTEL_COLLECTOR_IMAGE,
        files=_program("otelcol-contrib", "/otelcol-contrib"),
        entrypoint=("/otelcol-contrib",),
        user="10001:10001",
    ),
    Image(
        reference=versions.KUBE_STATE_METRICS_IMAGE,
        files=_program("kube-state-metrics", "/kube-state-metrics"),
        entrypoint=("/kube-state-metrics",),
        user=_NOBODY,
    ),
    Image(
        reference=versions.NODE_EXPORTER_IMAGE,
        files=_program("node_exporter", "/bin/node_exporter"),
        entrypoint=("/bin/node_exporter",),
        user=_NOBODY,
    ),
    # Runs programs of ConfigMaps, with the node's own Python.
    Image(reference=versions.PYTHON_IMAGE, files=_python_files),
    Image(
        reference=versions.SIMULATOR_IMAGE,
        files=_simulator_files,
        entrypoint=("python3", "-m"),
        user=_NOBODY,
        environment={"PYTHONPATH": "/app:/app/site-packages", "PYTHONDONTWRITEBYTECODE": "1"},
        workdir="/app",
    ),
)


def images() -> tuple[Image, ...]:
    """All images, with Grafana's if GRAFANA_HOME is set. Raises LocalError if that is not a distribution."""
    home = grafana_home.home()
    if home is None:
        return IMAGES
    grafana = Image(
        reference=versions.GRAFANA_IMAGE,
        files=grafana_home.files,
        entrypoint=grafana_home.entrypoint(home),
        user="472:0",
        # Makes the version part of the image's key: a new version is a new image, although the reference stays.
        environment={"GRAFANA_HOME_VERSION": grafana_home.version(home)},
    )
    return (*IMAGES, grafana)


def ensure(node: Node, grafana: Path | None = None) -> list[str]:
    """Import new and changed images into the node, and Grafana's if its archive is given. Returns their references."""
    known: dict[str, str] = json.loads(_IMPORTED.read_text()) if _IMPORTED.exists() else {}
    wanted = [(image.reference, key(image), partial(write_archive, image)) for image in images()]
    if grafana:
        wanted.append((versions.GRAFANA_IMAGE, grafana.name, partial(shutil.copyfile, grafana)))
    imported: list[str] = []
    for reference, new, write in wanted:
        if known.get(reference) == new:
            continue
        with TemporaryDirectory(dir=STATE / "node/var/tmp") as scratch:
            archive = Path(scratch) / "image.tar"
            write(archive)
            inside = "/" + str(archive.relative_to(STATE / "node"))
            node.run("ctr", "--namespace=k8s.io", "images", "import", "--snapshotter=overlayfs", inside)
        known[reference] = new
        _IMPORTED.write_text(json.dumps(known, indent=1))
        imported.append(reference)
    return imported


def simulator() -> Image:
    """The image of the simulated systems and of the receiver, which is in no registry."""
    (image,) = (one for one in IMAGES if one.reference == versions.SIMULATOR_IMAGE)
    return image


def key(image: Image) -> str:
    """A hash that changes with the image: of the paths of cached sources, whose names contain a hash of their content,
    and of the content of files in this checkout.
    """
    digest = hashlib.sha256(repr((image.entrypoint, image.user, image.environment, image.workdir)).encode())
    for target, source in sorted(image.files().items()):
        digest.update(f"{target}={source}".encode())
        if source.is_relative_to(ROOT):
            for file in sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
                digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()


def write_archive(image: Image, archive: Path) -> None:
    """Write the image in the format of `docker save`. Needs as much free space again beside the archive meanwhile."""
    files = image.files()
    parts = [part for part in ({"/"} & files.keys(), files.keys() - {"/"}) if part]
    layers = [archive.with_name(f"layer-{number}.tar") for number in range(len(parts))]
    for layer, part in zip(layers, parts, strict=True):
        with tarfile.open(layer, "w") as tar:
            for target in sorted(part):
                tar.add(files[target], arcname=target.strip("/") or ".", filter=_owned_by_root)
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    configuration = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{k}={v}" for k, v in {"PATH": path, **image.environment}.items()],
            "User": image.user,
            "WorkingDir": image.workdir,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}" for layer in layers]},
    }
    names = [layer.name for layer in layers]
    manifest = [{"Config": "config.json", "RepoTags": [full_name(image.reference)], "Layers": names}]
    with tarfile.open(archive, "w") as tar:
        for layer in layers:
            tar.add(layer, arcname=layer.name)
        for name, content in (("config.json", configuration), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
