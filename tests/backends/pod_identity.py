"""Stands where the agent of EKS Pod Identity is, on every node: gives a key to whoever shows its pod's token."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (self.path, self.headers.get("Authorization")) != (_PATH, _TOKEN):
                self.send_error(403)
                return
            found.given += 1
            body = json.dumps(
                {
                    "AccessKeyId": found.access_key_id,
                    "SecretAccessKey": found.secret_access_key,
                    "Token": "",
                    "Expiration": "2099-01-01T00:00:00Z",
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_address[1]}{_PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
    }
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
