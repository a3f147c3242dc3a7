"""Java and Maven for what comes from Maven Central: PATH's when they fit, else Debian's, unpacked into the cache."""

import hashlib
import os
import re
import shutil
import ssl
import struct
import subprocess
from pathlib import Path

from local import debian

_PACKAGES = ("openjdk-17-jre-headless", "maven")
_FITS = range(17, 24)
"""Releases that OpenSearch 2.19 runs on; 24 took the security manager away that its code still asks for."""


def java() -> Path:
    """The program `java`. Raises LocalError where neither PATH nor Debian has one that fits."""
    found = shutil.which("java")
    if found:
        answer = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', answer)
        if version and int(version.group(1)) in _FITS:
            return Path(found).resolve()
    return _home(_root()) / "bin" / "java"


def maven() -> tuple[Path, dict[str, str]]:
    """The program `mvn` and the environment it runs in. Raises LocalError like `java`."""
    found = shutil.which("mvn")
    if found and shutil.which("java"):
        return Path(found), dict(os.environ)
    root = _root()
    return root / "usr/share/maven/bin/mvn", {**os.environ, "JAVA_HOME": str(_home(root))}


def _root() -> Path:
    """The unpacked packages, with what their installation scripts would have done."""
    root = debian.root("java", _PACKAGES)
    trusted = root / "etc/ssl/certs/java/cacerts"
    if not trusted.exists():
        for folder in ("usr/lib/jvm", "usr/share/maven"):
            _relink(root, root / folder)
        trusted.parent.mkdir(parents=True, exist_ok=True)
        scratch = trusted.with_suffix(".new")
        scratch.write_bytes(key_store(ssl.create_default_context().get_ca_certs(binary_form=True)))
        scratch.rename(trusted)
    return root


def _home(root: Path) -> Path:
    return next((root / "usr/lib/jvm").glob("java-17-openjdk-*"))


def _relink(root: Path, folder: Path) -> None:
    """Absolute links into /etc and /usr, which would leave the unpacked root, point inside it."""
    for link in folder.rglob("*"):
        if link.is_symlink() and link.readlink().is_absolute():
            inside = root / link.readlink().relative_to("/")
            if not inside.is_relative_to(root) or link.readlink().is_relative_to(root):
                continue
            link.unlink()
            link.symlink_to(inside)


def key_store(certificates: list[bytes]) -> bytes:
    """Java's own format (JKS, version 2) with these DER certificates as authorities that are trusted."""

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    body = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        body += struct.pack(">I", 2) + text(f"authority-{number}") + struct.pack(">Q", 0) + text("X.509")
        body += struct.pack(">I", len(certificate)) + certificate
    # The format's checksum, with the password that Java assumes; nothing here is secret.
    return body + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()  # noqa: S324
