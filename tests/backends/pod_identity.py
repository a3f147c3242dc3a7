"""Stands where the agent of EKS Pod Identity is, on every node: gives a key to whoever shows its pod's token."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.http_server import Handler, serving

_PATH = "/v1/credentials"
_TOKEN = "token-of-the-pod"


@dataclass
class Agent:
    """What it gives, and what a pod that EKS admitted has in its environment."""

    access_key_id: str
    secret_access_key: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    given: int = 0
    """How often it gave the key."""


@contextmanager
def agent(folder: Path, access_key_id: str, secret_access_key: str) -> Generator[Agent]:
    """One that gives this key, to programs that run in `environment`."""
    token = folder / "eks-pod-identity-token"
    token.write_text(_TOKEN)
    found = Agent(access_key_id, secret_access_key)

    class Node(Handler):
        def respond(self) -> None:
            if (self.path, self.headers.get("Authorization")) != (_PATH, _TOKEN):
                self.send_error(403)
                return
            found.given += 1
            key = {
                "AccessKeyId": found.access_key_id,
                "SecretAccessKey": found.secret_access_key,
                "Token": "",
                "Expiration": "2099-01-01T00:00:00Z",
            }
            self.answer(200, json.dumps(key).encode())

    with serving(Node) as url:
        found.environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        }
        yield found
