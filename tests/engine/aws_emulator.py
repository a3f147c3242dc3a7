"""An AWS emulator (moto) on a loopback port, for tests of the AWS parts. It needs no account and no credentials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
import httpx
from moto.server import ThreadedMotoServer

from tools.http_server import Handler

REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""Id of the account that moto emulates."""
LOGIN = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-key"}


class Refusing(Handler):
    """Rejects every request as STS rejects a wrong secret key."""

    def respond(self) -> None:
        body = (
            b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>"
            b"<Message>The request signature does not match.</Message></Error></ErrorResponse>"
        )
        self.answer(403, body, "text/xml")


@contextmanager
def emulated_aws() -> Iterator[str]:
    """Starts an empty emulator and points every AWS client of this process and its children at it; gives its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        httpx.post(f"{url}/moto-api/reset", timeout=60, trust_env=False)
        with environment(AWS_ENDPOINT_URL=url, **LOGIN):
            yield url
    finally:
        server.stop()


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Sets these AWS variables and removes all others, so that the user's profiles and files are not read."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    with mock.patch.dict(
        os.environ, {**others, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", **variables}, clear=True
    ):
        yield


def client(service: str) -> Any:
    """A boto3 client with which a test inspects the emulator."""
    return boto3.client(service, region_name=REGION)
