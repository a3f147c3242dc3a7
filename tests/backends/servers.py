"""Real stores on this machine's loopback, and certificates for them."""

import datetime
import ipaddress
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID, enable_iam_authentication
from moto.iam.models import IAMBackend, iam_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket, S3Backend, s3_backends
from werkzeug.serving import make_server

from local.ports import free_port

_PARTITION = "aws"
_USER = "loki"
_MOTO = create_backend_app("s3")


def _s3() -> S3Backend:
    """The current one: a test elsewhere that resets moto replaces it."""
    return s3_backends[DEFAULT_ACCOUNT_ID][_PARTITION]


def _iam() -> IAMBackend:
    """The current one, as above."""
    return iam_backends[DEFAULT_ACCOUNT_ID][_PARTITION]


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
        """Says nothing of a request."""


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
    key = ec.generate_private_key(ec.SECP256R1())
    return _written(folder, key, _signed(key, "127.0.0.1", None))


def issued(authority: Certificate, folder: Path) -> Certificate:
    """A new one, signed by another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _written(folder, key, _signed(key, "server", authority))


def _signed(key: ec.EllipticCurvePrivateKey, name: str, authority: Certificate | None) -> x509.Certificate:
    subject = issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing: Any = key
    if authority:
        issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes()).subject
        signing = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=not authority, path_length=None if authority else 0), critical=True)
        .sign(signing, hashes.SHA256())
    )


def _written(folder: Path, key: ec.EllipticCurvePrivateKey, made: x509.Certificate) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


@dataclass
class S3Server:
    """An S3 server that checks every signature and asks the key's policy (moto). It is not AWS' S3."""

    endpoint: str
    certificate: Certificate
    access_key_id: str
    secret_access_key: str
    _away: dict[str, FakeBucket] = field(default_factory=dict[str, FakeBucket])
    _held: dict[str, threading.Event] = field(default_factory=dict[str, threading.Event])

    def objects(self, bucket: str, prefix: str = "") -> list[str]:
        """Keys of the objects under `prefix`."""
        return sorted(key for key in list(_s3().buckets[bucket].keys.keys()) if key.startswith(prefix))

    def take_away(self, bucket: str) -> None:
        """No such bucket, until it is given back with all that was in it."""
        self._away[bucket] = _s3().buckets.pop(bucket)
        del s3_backends.bucket_accounts[bucket]

    def give_back(self, bucket: str) -> None:
        """What was taken away."""
        _s3().buckets[bucket] = self._away.pop(bucket)
        s3_backends.bucket_accounts[bucket] = (_PARTITION, DEFAULT_ACCOUNT_ID)

    def refuse_writes(self, *resources: str) -> None:
        """From now on the key may write none of these objects (`bucket/prefix*`), and do everything else."""
        arns = [f"arn:aws:s3:::{resource}" for resource in resources]
        statements = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
        statements += [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": arn} for arn in arns]
        _iam().put_user_policy(_USER, "access", json.dumps({"Version": "2012-10-17", "Statement": statements}))

    @contextmanager
    def holding(self, resource: str) -> Generator[None]:
        """Whoever writes this object (`bucket/key`) meanwhile waits for its answer until the block ends."""
        self._held[f"/{resource}"] = threading.Event()
        try:
            yield
        finally:
            self._held.pop(f"/{resource}").set()

    def door(self, environ: dict[str, Any], start_response: Any) -> Any:
        """WSGI, in front of moto."""
        held = self._held.get(environ["PATH_INFO"])
        if held and environ["REQUEST_METHOD"] == "PUT":
            held.wait()
        return _MOTO(environ, start_response)


@contextmanager
def s3_server(folder: Path, *buckets: str, tls: bool = True) -> Generator[S3Server]:
    """One with these buckets, empty, and a key that may do everything with them."""
    own = certificate(folder / "tls")
    _s3().reset()
    _iam().reset()
    for bucket in buckets:
        _s3().create_bucket(bucket, "us-east-1")
    _iam().create_user("us-east-1", _USER)
    key = _iam().create_access_key(_USER)
    files = (str(own.certificate), str(own.key)) if tls else None
    port = free_port()
    endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    found = S3Server(endpoint, own, key.access_key_id, key.secret_access_key)
    found.refuse_writes()
    server = make_server("127.0.0.1", port, found.door, threaded=True, request_handler=_Quiet, ssl_context=files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        # The bucket is in the path, whatever the host is called.
        with enable_iam_authentication(), patch.object(settings, "S3_IGNORE_SUBDOMAIN_BUCKETNAME", True):
            yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        _s3().reset()
        _iam().reset()
