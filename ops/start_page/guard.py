"""Decides which requests of a browser `make open` answers: other sites neither read nor change anything.

A browser on this machine shows pages of many sites, and each of them may send requests to `localhost`.
"""

import base64
import secrets
from email.message import Message
from urllib.parse import unquote

_READS = ("GET", "HEAD")
_HOSTS = ("localhost", "127.0.0.1")
_USER = "open"
_CHANGED_BY_GET = ("flush", "ingester")
"""First segments of paths with which Loki writes its chunks or ends, although a browser may GET them for an image."""


class Guard:
    """The rules for all pages of one `make open`."""

    def __init__(self, name: int) -> None:
        """`name` is one that no other command uses now: browsers share the cookies of all ports of a machine."""
        self._name = f"observability-open-{name}"
        self._token = secrets.token_urlsafe(32)

    @property
    def login(self) -> str:
        """The token as a login (user and password) for commands, which have no cookie: `curl --user LOGIN`."""
        return f"{_USER}:{self._token}"

    @property
    def cookie(self) -> str:
        """The token, as the value of `Set-Cookie`. No other site can send it or read it."""
        return f"{self._name}={self._token}; Path=/; HttpOnly; SameSite=Strict"

    def refusal(self, method: str, target: str, headers: Message) -> str:
        """Why a request is refused; empty if it is allowed. `target` is a path with its query."""
        host, site = headers.get("Host", ""), headers.get("Sec-Fetch-Site", "none")
        # A site that lets its own name point to this machine sends that name as Host.
        if host.rsplit(":", 1)[0] not in _HOSTS or not target.startswith("/"):
            return f"The host {host!r} is not allowed; allowed: {' and '.join(_HOSTS)}."
        if headers.get("Origin", f"http://{host}") != f"http://{host}":
            return f"A page of {headers['Origin']} may not send requests here; allowed: this page."
        if not _changes(method, target):
            # A person may follow a link of another site, such as a notification's. The site cannot read the page.
            followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
            return "" if _own(site) or followed else "A page of another site may not read this; allowed: this page."
        if not _own(site):
            return "A page of another site may not change anything; allowed: this page."
        if not (self._has_cookie(headers) or self._has_login(headers)):
            return "A change needs a token: open this address in the browser, or take the login that `make open` shows."
        return ""

    def gives_cookie(self, method: str, headers: Message) -> bool:
        """Whether the answer to an allowed request sets the cookie: a person opens a page in a browser."""
        return method == "GET" and headers.get("Sec-Fetch-Dest") == "document" and not self._has_cookie(headers)

    def passed(self, headers: Message) -> list[tuple[str, str]]:
        """The headers for the server behind the guard, which does not get the token."""
        hidden = ["cookie", *(["authorization"] if self._has_login(headers) else [])]
        found = [(name, value) for name, value in headers.items() if name.lower() not in hidden]
        cookies = [one for one in _cookies(headers) if one.partition("=")[0] != self._name]
        return [*found, ("Cookie", "; ".join(cookies))] if cookies else found

    def _has_cookie(self, headers: Message) -> bool:
        expected = f"{self._name}={self._token}".encode()
        return any(secrets.compare_digest(one.encode(), expected) for one in _cookies(headers))

    def _has_login(self, headers: Message) -> bool:
        expected = base64.b64encode(self.login.encode())
        return secrets.compare_digest(headers.get("Authorization", "").encode(), b"Basic " + expected)


def _cookies(headers: Message) -> list[str]:
    return [one.strip() for one in "; ".join(headers.get_all("Cookie", [])).split(";") if one.strip()]


def _own(site: str) -> bool:
    """Whether a request comes from the page itself or from no page. Another port of this machine is another site."""
    return site in ("same-origin", "none")


def _changes(method: str, target: str) -> bool:
    """Whether a request may change something."""
    segments = [one for one in unquote(target.partition("?")[0]).split("/") if one]
    # A server may resolve dots before it chooses what to do.
    dots = {".", ".."} & {*segments}
    return method not in _READS or bool(dots) or next(iter(segments), "") in _CHANGED_BY_GET
