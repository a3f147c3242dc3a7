"""Runs in a pod: signs requests of Prometheus' API for a workspace of Amazon Managed Prometheus, and passes them on.

It keeps nothing: whoever writes repeats what was not taken. So it answers 503, which Prometheus repeats, also where AWS
answers 403, after which Prometheus would throw the samples away: rights and credentials come back.

Environment: WORKSPACE (https://…/workspaces/ws-…), REGION, WRITE_PORT, QUERY_PORT, and that of aws_request.
"""

import os
import re
import signal
import sys
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from . import aws_request

# Prometheus sends 2,000 samples a request, which are less than a megabyte.
LARGEST_BODY = 32 * 2**20
# Longer than AWS works on a query.
TIMEOUT_SECONDS = 120
# Longer than Prometheus and Grafana keep an idle connection, so that they end it.
_IDLE_SECONDS = 600
_TO_AWS = ("accept", "accept-encoding", "content-encoding", "content-type", "user-agent")
_VERSION = "x-prometheus-remote-write-version"
_FROM_AWS = ("content-encoding", "content-type", "retry-after")


class Credentials:
    """The pod's credentials, until five minutes before they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def get(self, now: datetime) -> dict[str, str]:
        """Valid credentials. Raises RefusedError if the agent gives none."""
        soon = (now + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._lock:
            if self._known.get("Expiration", "") <= soon:
                self._known = aws_request.credentials()
            return self._known

    def forget(self) -> None:
        """Get new ones next time."""
        with self._lock:
            self._known = {}


class Proxy(BaseHTTPRequestHandler):
    """Passes on what is in the subclass' `paths`."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    paths = ""
    credentials = Credentials()

    def do_GET(self) -> None:
        """Answers /healthz itself: a restart does not bring AWS back."""
        if self.path == "/healthz":
            self._answer(aws_request.Answer(200, {}, b""))
        else:
            self._pass_on(None)

    def do_POST(self) -> None:
        """Passes on writes, and queries that are too long for a URL."""
        length = int(self.headers.get("Content-Length") or -1)
        if 0 <= length <= LARGEST_BODY:
            self._pass_on(self.rfile.read(length))
            return
        self.close_connection = True
        self._answer(aws_request.Answer(413, {}, f"allowed: a length of at most {LARGEST_BODY} bytes".encode()))

    def _pass_on(self, body: bytes | None) -> None:
        parts = urlsplit(self.path)
        if not re.fullmatch(self.paths, parts.path):
            self._answer(aws_request.Answer(404, {}, f"allowed: {self.paths}".encode()))
            return
        try:
            answer = self._signed(parts.path, aws_request.canonical(parts.query), body)
        except (aws_request.RefusedError, OSError) as refusal:  # OSError: the token's file
            answer = aws_request.Answer(503, {}, str(refusal).encode())
        if answer.status == 403:
            self.credentials.forget()
            answer = aws_request.Answer(503, {}, f"AWS refuses the identity: {answer.reason}".encode())
        if answer.status >= 400:
            print(f"{self.command} {parts.path}: {answer.reason}", file=sys.stderr, flush=True)  # noqa: T201
        self._answer(answer)

    def _signed(self, path: str, query: str, body: bytes | None) -> aws_request.Answer:
        now = datetime.now(timezone.utc)  # noqa: UP017  (the name that Python 3.10 knows, too)
        url = os.environ["WORKSPACE"] + path + (f"?{query}" if query else "")
        call = {"method": self.command, "url": url, "service": "aps", "region": os.environ["REGION"]}
        own = {name: self.headers[name] for name in (*_TO_AWS, _VERSION) if name in self.headers}
        headers = own | aws_request.signed(call, self.credentials.get(now), now, body or b"")
        return aws_request.send(self.command, url, headers, body, TIMEOUT_SECONDS)

    def _answer(self, answer: aws_request.Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() in _FROM_AWS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (name of the base class)
        """Every request would be a line."""


class Writes(Proxy):
    """For Prometheus."""

    paths = "/api/v1/remote_write"


class Queries(Proxy):
    """For Grafana, whose users could write samples otherwise."""

    paths = r"/api/v1(?!/remote_write)(/\w+)+"


class Server(ThreadingHTTPServer):
    """A thread for each connection. Prometheus has one for each of its shards."""

    daemon_threads = True
    request_queue_size = 128


def _end(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main() -> None:
    """Serves until it is told to end. Whoever waits for an answer then repeats its request."""
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    queries = Server(("", int(os.environ["QUERY_PORT"])), Queries)
    threading.Thread(target=queries.serve_forever, daemon=True).start()
    Server(("", int(os.environ["WRITE_PORT"])), Writes).serve_forever()


if __name__ == "__main__":
    main()
