"""Unpacks Debian packages into folders, for programs of the node and the images that are not built from source.

Nothing is installed on the host: apt uses its own package state to resolve the packages and downloads them into the
cache, where they are unpacked but not configured. The host's /etc/apt names the package sources.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from local.errors import LocalError
from local.paths import cache

# Packages that every unpacked root needs before a program can start in it.
_BASE = ("base-files", "libc6", "libc-bin")
# Links that update-alternatives would create, which does not run when packages are only unpacked.
_ALTERNATIVES = {
    "usr/sbin/iptables": "iptables-nft",
    "usr/sbin/iptables-save": "iptables-nft-save",
    "usr/sbin/iptables-restore": "iptables-nft-restore",
    "usr/sbin/ip6tables": "ip6tables-nft",
    "usr/sbin/ip6tables-save": "ip6tables-nft-save",
    "usr/sbin/ip6tables-restore": "ip6tables-nft-restore",
}


def root(name: str, packages: tuple[str, ...]) -> Path:
    """A folder in the cache with `packages` and their dependencies, unpacked; created on first use.

    Raises LocalError if the host has no apt or a package cannot be downloaded.
    """
    if not available():
        raise LocalError(
            "the embedded cluster is made from Debian packages and this system has no apt-get; "
            "use your own cluster instead: KUBE_CONTEXT=name make up"
        )
    wanted = (*_BASE, *packages)
    key = hashlib.sha256("\n".join((_release(), *wanted)).encode()).hexdigest()[:12]
    target = cache() / "debian" / f"{name}-{key}"
    if not target.is_dir():
        target.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as scratch:
            _unpack(_download(Path(scratch), wanted), Path(scratch) / "root")
            (Path(scratch) / "root").rename(target)
    return target


def available() -> bool:
    """Whether this system can download and unpack Debian packages."""
    return all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line for line in lines if line.startswith("VERSION_CODENAME=")), "")


def _download(scratch: Path, packages: tuple[str, ...]) -> list[Path]:
    """The .deb files of `packages` and all their dependencies, resolved as on an empty system."""
    state, archives = scratch / "state", scratch / "archives"
    for folder in (state / "lists" / "partial", archives / "archives" / "partial"):
        folder.mkdir(parents=True)
    (state / "status").touch()
    options = {
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(archives),
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    for arguments in (["update"], ["--yes", "--download-only", "install", *packages]):
        done = subprocess.run(
            [*apt, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        )
        if done.returncode:
            raise LocalError(
                f"apt-get {arguments[0]} failed for {', '.join(packages)}:\n{done.stderr.strip()}\n"
                "Check /etc/apt/sources.list, then run the same command again."
            )
    return sorted((archives / "archives").glob("*.deb"))


def _unpack(files: list[Path], target: Path) -> None:
    target.mkdir(mode=0o755)
    for name in ("bin", "sbin", "lib", "lib64"):  # base packages expect the merged /usr
        (target / "usr" / name).mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(f"usr/{name}")
    for file in files:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as source:
            subprocess.run(
                ["tar", "--extract", "--keep-directory-symlink", "--directory", target], stdin=source.stdout, check=True
            )
    for link, points_to in _ALTERNATIVES.items():
        path = target / link
        if (path.parent / points_to).exists() and not path.exists():
            path.symlink_to(points_to)
    for extra in ("share/doc", "share/man", "share/locale", "share/info"):
        shutil.rmtree(target / "usr" / extra, ignore_errors=True)
