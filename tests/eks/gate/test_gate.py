"""The gate of the pages: who gets in by which group, what nobody may do, and what it answers while others are away."""

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from components.eks.gate import gate
from tools.http_server import Handler, serving

SILENCE = "/api/v2/silence/0f6d5c2e-0000-4000-8000-000000000001"


@dataclass
class Issuer:
    """Access token -> claims; whoever has another token has no login. `status` replaces its answer."""

    claims: dict[str, Any] = field(
        default_factory=lambda: {
            "of-viewer": {"sub": "vera", "groups": ["viewers", "others"]},
            "of-editor": {"sub": "ed", "groups": ["oncall"]},
            "of-one-group": {"sub": "otto", "groups": "oncall"},
            "of-cognito": {"sub": "coco", "cognito:groups": ["oncall"]},
            "of-guest": {"sub": "guest", "groups": ["viewers-of-others"]},
            "of-nobody": {"sub": "nobody"},
        }
    )
    status: int = 200
    asked: int = 0


@dataclass
class Page:
    """What a page got, as (method, path, headers, body)."""

    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    made = Issuer()

    class UserInfo(Handler):
        def respond(self) -> None:
            made.asked += 1
            claims = made.claims.get(self.headers["Authorization"].removeprefix("Bearer "))
            status = made.status if made.status != 200 or claims else 401
            self.answer(status, json.dumps(claims).encode())

    with serving(UserInfo) as url:
        monkeypatch.setenv("USER_INFO", f"{url}/userinfo")
        yield made


@pytest.fixture
def page() -> Iterator[tuple[Page, str]]:
    made = Page()

    class Answers(Handler):
        def respond(self) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            made.requests.append((self.command, self.path, headers, self.body()))
            self.answer(200, b"of the page", headers={"X-Of-The-Page": "1"})

    with serving(Answers) as url:
        yield made, url.removeprefix("http://")


@contextmanager
def opened(name: str, *targets: str) -> Generator[str]:
    """URL of the gate of a page with these targets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAGES", json.dumps({name: {"port": 0, "targets": targets}}))
        server = gate.Server(("127.0.0.1", 0), gate.handlers()[0])
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def door(issuer: Issuer, page: tuple[Page, str], monkeypatch: pytest.MonkeyPatch) -> Iterator["Door"]:
    del issuer
    monkeypatch.setattr(gate.Gate, "people", gate.People())
    monkeypatch.setenv("VIEWERS", '["viewers", "oncall"]')
    monkeypatch.setenv("EDITORS", '["oncall"]')
    with ExitStack() as stack:
        names = ("prometheus", "alertmanager", "jaeger")
        # Nobody listens on port 9: the gate takes the other replica.
        urls = {name: stack.enter_context(opened(name, "127.0.0.1:9", page[1])) for name in names}
        yield Door(stack.enter_context(httpx.Client()), urls)


@dataclass
class Door:
    """Sends requests to a page as the load balancer does."""

    client: httpx.Client
    urls: dict[str, str]

    def ask(self, token: str, method: str, url: str, **more: Any) -> httpx.Response:
        """`url` is page/path."""
        name, _, path = url.partition("/")
        headers = {gate.LOGIN_HEADER: token, "Host": f"{name}.example.com", **more.pop("headers", {})}
        return self.client.request(method, f"{self.urls[name]}/{path}", headers=headers, **more)


READS = ("GET prometheus/graph?g0.expr=up", "HEAD jaeger/", "GET alertmanager/api/v2/silences")
WRITES = ("POST alertmanager/api/v2/silences", f"DELETE alertmanager{SILENCE}")
NEVER = (
    "POST alertmanager/api/v2/alerts",
    "POST alertmanager/-/reload",
    f"POST alertmanager{SILENCE}",
    f"DELETE alertmanager{SILENCE}/../../../-/reload",
    "PUT prometheus/-/quit",
    "POST prometheus/api/v1/admin/tsdb/delete_series",
    "POST prometheus/api/v1/write",
    "POST prometheus/api/v2/silences",
    "PATCH jaeger/",
    "OPTIONS jaeger/",
)


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        ("of-viewer", (*READS, "POST prometheus/api/v1/query_range")),
        ("of-editor", (*READS, *WRITES)),
        ("of-one-group", (*READS, *WRITES)),
        ("of-cognito", (*READS, *WRITES)),
        ("of-guest", ()),
        ("of-nobody", ()),
    ],
)
def test_groups_decide_who_views_and_who_silences(
    door: Door, page: tuple[Page, str], token: str, allowed: tuple[str, ...]
) -> None:
    for request in {*READS, *WRITES, *NEVER, *allowed}:
        method, url = request.split()
        page[0].requests.clear()
        status = door.ask(token, method, url).status_code
        passed = [(one[0], one[1]) for one in page[0].requests]
        expected = (200, [(method, "/" + url.partition("/")[2])]) if request in allowed else (403, [])
        assert (status, passed) == expected, request


def test_without_a_group_of_viewers_everybody_views_but_only_editors_silence(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIEWERS", "[]")
    for token, status in {"of-nobody": 403, "of-editor": 200}.items():
        assert door.ask(token, "GET", "alertmanager/").status_code == 200
        assert door.ask(token, "POST", "alertmanager/api/v2/silences").status_code == status


def test_another_site_cannot_silence_in_an_editors_name(door: Door) -> None:
    for origin, status in {"https://evil.example.com": 403, "https://alertmanager.example.com": 200}.items():
        answer = door.ask("of-editor", "POST", "alertmanager/api/v2/silences", headers={"Origin": origin})
        assert answer.status_code == status


def test_the_page_gets_the_request_whole_and_nothing_of_the_login(door: Door, page: tuple[Page, str]) -> None:
    private = {"Cookie": "AWSELBAuthSessionCookie-0=x", "Authorization": "Bearer y", "X-Amzn-Oidc-Data": "z"}
    more = {"Content-Type": "application/json", "Host": "alertmanager.example.com"}
    answer = door.ask("of-editor", "POST", "alertmanager/api/v2/silences?a=%2F", content=b"{}", headers=private | more)
    ((method, path, headers, body),) = page[0].requests
    assert (method, path, body) == ("POST", "/api/v2/silences?a=%2F", b"{}")
    assert (headers["content-type"], headers["host"]) == ("application/json", "alertmanager.example.com")
    assert not {"cookie", "authorization", "x-amzn-oidc-data", gate.LOGIN_HEADER} & headers.keys()
    assert (answer.text, answer.headers["X-Of-The-Page"]) == ("of the page", "1")


def test_claims_count_for_a_moment_only(door: Door, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        assert door.ask("of-viewer", "GET", "jaeger/").status_code == 200
    assert issuer.asked == 1
    issuer.claims["of-viewer"]["groups"] = []
    monkeypatch.setattr(gate, "KEPT_SECONDS", 0)
    monkeypatch.setattr(gate.Gate, "people", gate.People())
    assert door.ask("of-viewer", "GET", "jaeger/").status_code == 403
    assert door.ask("of-viewer", "GET", "jaeger/").status_code == 403
    assert issuer.asked == 3


@pytest.mark.parametrize("token", ["", "ended"])
def test_an_ended_login_ends_the_session_of_the_load_balancer(door: Door, token: str) -> None:
    answer = door.ask(token, "GET", "prometheus/")
    assert answer.status_code == 401
    cookies = answer.headers.get_list("Set-Cookie")
    assert "AWSELBAuthSessionCookie-0=; Max-Age=0; Path=/" in cookies


def test_without_the_issuer_nobody_unknown_gets_in(door: Door, issuer: Issuer, page: tuple[Page, str]) -> None:
    assert door.ask("of-editor", "GET", "jaeger/").status_code == 200
    issuer.status = 500
    assert door.ask("of-editor", "GET", "jaeger/").status_code == 200
    assert door.ask("of-viewer", "GET", "jaeger/").status_code == 503
    assert len(page[0].requests) == 2


def test_a_request_of_unknown_length_is_refused(door: Door) -> None:
    def parts() -> Iterator[bytes]:
        yield b"{}"

    assert door.ask("of-editor", "POST", "alertmanager/api/v2/silences", content=parts()).status_code == 413


def test_an_answer_of_unknown_length_arrives_whole(door: Door) -> None:
    class Streams(Handler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    with serving(Streams) as url, opened("jaeger", url.removeprefix("http://")) as door.urls["jaeger"]:
        assert door.ask("of-viewer", "GET", "jaeger/api/traces").text == "onetwo"


def test_health_needs_no_login_and_a_page_that_is_away_is_named(door: Door) -> None:
    assert httpx.get(f"{door.urls['prometheus']}/healthz").text == "ok"
    with opened("jaeger", "127.0.0.1:9") as door.urls["jaeger"]:
        answer = door.ask("of-viewer", "GET", "jaeger/")
    assert (answer.status_code, answer.text) == (502, "jaeger does not answer.")
