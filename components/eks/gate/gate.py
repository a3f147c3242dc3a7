"""Runs in a pod: lets people through to pages that know no groups, by the groups that the issuer names.

The load balancer has logged them in and sends their access token with each request, in place of any header of theirs.
The issuer answers it with their claims, which count for KEPT_SECONDS: whoever leaves a group is out a moment later.
If the issuer does not answer, nobody gets in whose claims are not known.

Whoever may view may read everything; only editors may silence; nobody may do anything else.

Environment: PAGES (JSON: page -> {"port", "targets": [host:port]}), VIEWERS and EDITORS (JSON lists of groups; without
viewers, everybody may view), USER_INFO (the issuer's https URL), and that of urllib for a proxy and authorities.
"""

import hashlib
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

LOGIN_HEADER = "x-amzn-oidc-accesstoken"
KEPT_SECONDS = 60
# A silence is less than a kilobyte, a long query some.
LARGEST_BODY = 2**20
# Prometheus ends a query after two minutes.
_TIMEOUT_SECONDS = 130
# Longer than the load balancer keeps an idle connection (60 s), so that it ends it.
_IDLE_SECONDS = 120
_CHUNK = 2**16
# Of a connection, not of a request; the page gets the gate's own.
_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length")
# What the load balancer knows of the person is not for the page.
_PRIVATE = ("cookie", "authorization")
_QUERIES = re.compile(r"/api/v1/(query|query_range|query_exemplars|series|labels|format_query|parse_query)")
_SILENCES = {"POST": re.compile(r"/api/v2/silences"), "DELETE": re.compile(r"/api/v2/silence/[0-9a-f-]+")}
# The load balancer splits a long one.
_SESSION = [f"AWSELBAuthSessionCookie-{number}=; Max-Age=0; Path=/" for number in range(4)]


class EndedError(Exception):
    """The issuer does not know the access token any more."""


class Person(NamedTuple):
    """Who asks."""

    subject: str
    groups: frozenset[str]


class People:
    """Access token -> person, as the issuer said a moment ago."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Person]] = {}

    def get(self, token: str) -> Person:
        """Raises EndedError, and OSError or ValueError if the issuer gives no claims."""
        if not token:
            raise EndedError
        key, now = hashlib.sha256(token.encode()).hexdigest(), time.monotonic()
        with self._lock:
            self._known = {one: found for one, found in self._known.items() if found[0] > now}
            if key in self._known:
                return self._known[key][1]
        person = _ask(token)
        with self._lock:
            self._known[key] = (now + KEPT_SECONDS, person)
        return person


def _ask(token: str) -> Person:
    request = urllib.request.Request(os.environ["USER_INFO"], headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            claims = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (400, 401, 403):
            raise EndedError from None
        raise
    groups = claims.get("groups") or claims.get("cognito:groups") or []
    return Person(str(claims["sub"]), frozenset([groups] if isinstance(groups, str) else map(str, groups)))


class Gate(BaseHTTPRequestHandler):
    """Of one page: subclasses have its name and its targets."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    people = People()
    page = ""
    targets: tuple[str, ...] = ()

    def do_GET(self) -> None:
        """Every method: what is allowed is said in `_refusal`."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._say(413, f"allowed: a length of at most {LARGEST_BODY} bytes")
            return
        body = self.rfile.read(int(length))
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._say(200, "ok")
            return
        try:
            person = self.people.get(self.headers.get(LOGIN_HEADER) or "")
        except EndedError:
            self._say(401, "Your login has ended. Reload this page to log in again.", _SESSION)
            return
        except (OSError, HTTPException, ValueError, KeyError, AttributeError) as error:
            self._log(f"the issuer gives no claims: {error!r}")
            self._say(503, "The issuer of logins gives no claims; try again.")
            return
        refusal = self._refusal(path, person)
        if refusal or self.command not in ("GET", "HEAD"):
            self._log(f"{person.subject}: {self.command} {path}: {refusal or 'allowed'}")
        if refusal:
            self._say(403, refusal)
        else:
            self._pass_on(person, body)

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 -- names of the base class

    def _refusal(self, path: str, person: Person) -> str:
        """Why the person may not do this; empty if they may."""
        viewers, editors = (frozenset(json.loads(os.environ[name])) for name in ("VIEWERS", "EDITORS"))
        if viewers and not viewers & person.groups:
            return "You are in no group that may view this page."
        if self.command in ("GET", "HEAD"):
            return ""
        if self.page == "prometheus" and self.command == "POST" and _QUERIES.fullmatch(path):
            return ""
        if self.page != "alertmanager" or self.command not in _SILENCES or not _SILENCES[self.command].fullmatch(path):
            return "Nobody may do this here."
        # Another site's page, opened by an editor, could send the form of a silence.
        if self.headers.get("Origin") not in (None, f"https://{self.headers['Host']}"):
            return "The request comes from another site."
        return "" if editors & person.groups else "You are in no group that may silence alerts."

    def _pass_on(self, person: Person, body: bytes) -> None:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in (*_HOP, *_PRIVATE) and not name.lower().startswith("x-amzn-oidc-")
        }
        for target in self._in_order(person):
            connection = HTTPConnection(target, timeout=_TIMEOUT_SECONDS)
            try:
                connection.connect()
            except OSError as error:
                self._log(f"{target} does not answer: {error}")
                continue
            try:
                connection.request(self.command, self.path, body or None, headers)
                self._answer(connection.getresponse())
            except (OSError, HTTPException) as error:
                # What was sent of an answer cannot be taken back; the end of the connection shows that it is not whole.
                self._log(f"{target} ends in the middle: {error!r}")
                self.close_connection = True
            finally:
                connection.close()
            return
        self._say(502, f"{self.page} does not answer.")

    def _in_order(self, person: Person) -> Iterator[str]:
        """The targets; the same first one for a person, because graphs of two replicas differ."""
        first = int(hashlib.sha256(person.subject.encode()).hexdigest(), 16)
        return (self.targets[(first + more) % len(self.targets)] for more in range(len(self.targets)))

    def _answer(self, answer: HTTPResponse) -> None:
        chunked = answer.length is None
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in (*_HOP, "date", "server"):
                self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status not in (204, 304):
            self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        if self.command == "HEAD":
            return
        while part := answer.read1(_CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, text: str, cookies: list[str] | None = None) -> None:
        self.send_response(status)
        for cookie in cookies or []:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def _log(self, text: str) -> None:
        print(f"{self.page}: {text}", file=sys.stderr, flush=True)  # noqa: T201

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (name of the base class)
        """Every request would be a line."""


class Server(ThreadingHTTPServer):
    """A thread for each connection of the load balancer."""

    daemon_threads = True
    request_queue_size = 128


def handlers() -> dict[int, type[Gate]]:
    """Port -> the gate of its page."""
    pages = json.loads(os.environ["PAGES"]).items()
    return {one["port"]: type(page, (Gate,), {"page": page, "targets": tuple(one["targets"])}) for page, one in pages}


def _end(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main() -> None:
    """Serves until it is told to end."""
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    for port, handler in handlers().items():
        threading.Thread(target=Server(("", port), handler).serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
