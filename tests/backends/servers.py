"""Real servers on this machine's loopback: the programs of the platform, and the stores that they write to."""

import datetime
import ipaddress
import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.ports import free_port
from local.toolchain import tool
from tests.collector import processes

SECONDS = 120.0
"""For anything that takes a second on an idle machine."""


eventually = partial(processes.eventually, seconds=SECONDS)
"""The first true answer of a condition; fails with `what` when there is none in time."""


@dataclass
class Server:
    """A program in a folder of its own. As a context manager it is started and answers; none is left."""

    name: str
    arguments: Sequence[object]
    folder: Path
    health: str
    """URL that answers 200 when it is ready."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    verify: str | bool = True
    """Certificate of the authority behind `health`."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it wrote, of every start."""
        return (self.folder / "log").read_text(errors="replace")

    def launch(self) -> None:
        """Starts it, and waits for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(tool(self.name)), *map(str, self.arguments)],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            return httpx.get(self.health, timeout=5, verify=self.verify).is_success
        except httpx.HTTPError:
            return False

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        self.launch()
        assert self.process
        deadline = time.monotonic() + SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self.name} does not start:\n{self.log[-3000:]}")
            time.sleep(0.1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, and waits until it is gone."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)


@dataclass(frozen=True)
class Certificate:
    """Of 127.0.0.1, signed by itself."""

    certificate: Path
    key: Path

    @property
    def trusted(self) -> dict[str, str]:
        """What makes a Go program trust it."""
        return {"SSL_CERT_FILE": str(self.certificate)}


def certificate(folder: Path) -> Certificate:
    """A new one, for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


@dataclass(frozen=True)
class S3Server:
    """An S3 server that speaks TLS and checks every signature (versitygw on a folder). It is not AWS' S3."""

    endpoint: str
    certificate: Certificate
    root: Path
    access_key_id: str = "loki"
    secret_access_key: str = "hush-hush-hush"

    def objects(self, bucket: str, prefix: str = "") -> list[str]:
        """Keys of the objects under `prefix`."""
        top = self.root / bucket
        files = [str(path.relative_to(top)) for path in (top / prefix).rglob("*") if path.is_file()]
        return sorted(files)


@contextmanager
def s3_server(folder: Path, *buckets: str) -> Generator[S3Server]:
    """One with these buckets, empty."""
    port = free_port()
    tls = certificate(folder / "tls")
    root = folder / "objects"
    for bucket in buckets:
        (root / bucket).mkdir(parents=True)
    found = S3Server(f"https://127.0.0.1:{port}", tls, root)
    arguments = [
        *("--port", f"127.0.0.1:{port}", "--cert", tls.certificate, "--key", tls.key, "--health", "/health"),
        *("--access", found.access_key_id, "--secret", found.secret_access_key, "posix", root),
    ]
    with Server("versitygw", arguments, folder, f"{found.endpoint}/health", verify=str(tls.certificate)):
        yield found
