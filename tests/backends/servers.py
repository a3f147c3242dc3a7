"""Real stores on this machine's loopback, and certificates for them."""

import datetime
import ipaddress
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.ports import free_port
from tests.programs import Server


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
