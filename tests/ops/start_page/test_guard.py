"""What `make open` serves answers people and their commands, and changes nothing for a page of another site."""

import socket
import ssl
from collections.abc import Generator, Mapping

import httpx
import pytest

from ops.start_page.forward import guarded
from ops.start_page.guard import Guard
from tests.ops.start_page.conftest import Services
from tools.http_server import Handler, serving

PERSON = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
LINK = {**PERSON, "Sec-Fetch-Site": "cross-site"}
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
EVIL = {**IMAGE, "Sec-Fetch-Dest": "empty", "Origin": "https://evil.example"}
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The requests are many, and httpx would read all certificates for each."""
READ, FLUSH, POST = "GET /api/v1/query", "GET /flush", "POST /api/v2/silences"


@pytest.fixture
def served(guard: Guard, services: tuple[Services, str]) -> Generator[str]:
    """URL of the fakes behind the guard."""
    services[0].answers |= {"/api/v1/query": {"data": "secret"}, "/flush": {}}
    with guarded(guard, 0, services[1]) as url:
        yield url.replace("localhost", "127.0.0.1")


def ask(url: str, request: str, headers: Mapping[str, str], cookie: str = "") -> httpx.Response:
    method, _, path = request.partition(" ")
    more = {"Cookie": cookie.partition(";")[0]} if cookie else {}
    # A URL of httpx would be normalized.
    target = httpx.URL(url).copy_with(raw_path=path.encode())
    return httpx.request(method, target, headers={**headers, **more}, verify=NO_CERTIFICATES)


@pytest.mark.parametrize(
    "headers", [{}, PERSON, SCRIPT, LINK, {"Host": "localhost:19090"}], ids=["curl", "person", "own", "link", "tunnel"]
)
def test_reading_needs_no_token(served: str, headers: dict[str, str]) -> None:
    assert ask(served, READ, headers).text == '{"data": "secret"}'


@pytest.mark.parametrize("token", [False, True], ids=["without the token", "with it"])
@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        IMAGE,
        {**IMAGE, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"},
        {**IMAGE, "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example:9090"},
        {"Host": "evil.example:9090", "Origin": "http://evil.example:9090", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost.evil.example"},
    ],
    ids=str,
)
def test_a_page_of_another_site_gets_nothing(
    served: str, guard: Guard, services: tuple[Services, str], headers: dict[str, str], *, token: bool
) -> None:
    for request in (READ, FLUSH, POST, "PUT /faults/Slow", "DELETE /api/v2/silence/1", "OPTIONS /api/v2/silences"):
        answer = ask(served, request, headers, guard.cookie if token else "")
        assert (answer.status_code, "secret" in answer.text) == (403, False), request
        assert not {"set-cookie", "access-control-allow-origin"} & {*answer.headers}, request
    assert services[0].calls == []


@pytest.mark.parametrize(
    "request_",
    [
        *(POST, "PUT /faults/Slow", "DELETE /api/v2/silence/1", "POST /fail-next", FLUSH, "GET /ingester/shutdown"),
        *("GET /%66lush", "GET //flush", "GET /x/../flush", "GET /./flush", "GET /flush?a=b", "HEAD /flush"),
        *("GET /%2e/flush", "GET /%2fflush"),
    ],
)
@pytest.mark.parametrize("headers", [{}, SCRIPT, LINK], ids=["curl", "own", "link"])
def test_a_change_needs_the_token(
    served: str, services: tuple[Services, str], headers: dict[str, str], request_: str
) -> None:
    assert ask(served, request_, headers).status_code == 403
    assert ask(served, request_, headers, Guard(1).cookie).status_code == 403, "of an earlier `make open`"
    assert services[0].calls == []


@pytest.mark.parametrize("headers", [{}, SCRIPT], ids=["curl", "own"])
def test_a_person_who_opened_a_page_may_change_things(
    served: str, services: tuple[Services, str], headers: dict[str, str]
) -> None:
    given = ask(served, READ, PERSON).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in given.split(";")}
    assert ask(served, POST, headers, given).status_code == 200
    assert services[0].calls == ["POST /api/v2/silences"]
    assert "set-cookie" not in ask(served, READ, PERSON, given).headers


def test_a_command_may_change_things_with_the_login(served: str, guard: Guard, services: tuple[Services, str]) -> None:
    url = served.replace("//", f"//{guard.login}@")
    assert httpx.post(f"{url}/api/v2/alerts", json=[]).status_code == 200
    assert services[0].calls == ["POST /api/v2/alerts"]


def test_requests_and_answers_pass_unchanged_but_for_the_token(guard: Guard) -> None:
    got: list[tuple[str, dict[str, str], bytes]] = []

    class Server(Handler):
        def respond(self) -> None:
            got.append((f"{self.command} {self.path}", dict(self.headers.items()), self.body()))
            self.answer(201, b"z" * 200_000, headers={"X-Own": "yes"})

    with serving(Server) as behind, guarded(guard, 0, behind) as url:
        headers = {"Cookie": f"a=b; {guard.cookie.partition(';')[0]}; grafana_session=c", "Authorization": "Basic own"}
        answer = httpx.post(f"{url}/a%2Fb?c=d&e", content=b"y" * 200_000, headers=headers)
        assert httpx.head(url).status_code == 201
        assert httpx.post(url, content=iter([b"x"]), headers=headers).status_code == 411, "its end could be disputed"
    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (201, b"z" * 200_000, "yes")
    request, sent, body = got[0]
    assert (request, body) == ("POST /a%2Fb?c=d&e", b"y" * 200_000)
    assert (sent["Cookie"], sent["Authorization"]) == ("a=b; grafana_session=c", "Basic own")
    assert sent["Host"] == url.removeprefix("http://")
    assert len(got) == 2


def test_a_server_that_is_gone_is_named(guard: Guard) -> None:
    with guarded(guard, 0, "http://127.0.0.1:1") as url:
        answer = httpx.get(url)
    assert (answer.status_code, answer.text.startswith("The server does not answer:")) == (502, True)


def test_a_second_request_in_the_same_connection_is_not_passed_on(served: str, services: tuple[Services, str]) -> None:
    address = (httpx.URL(served).host, httpx.URL(served).port or 0)
    first = "GET /api/v1/query HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(address) as one:
        one.sendall(f"{first}POST /api/v2/silences HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer.count(b"HTTP/1.") == 1
    assert services[0].calls == []


def test_a_connection_that_becomes_another_protocol_goes_both_ways(guard: Guard) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        guarded(guard, 0, f"http://127.0.0.1:{server.getsockname()[1]}") as url,
        socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as client,
    ):
        client.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        behind, _ = server.accept()
        with behind, behind.makefile("rb") as sent, client.makefile("rb") as got:
            assert b"Connection: Upgrade" in b"".join(iter(sent.readline, b"\r\n"))
            behind.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            client.sendall(b"ping")
            assert sent.read(4) == b"ping"
            behind.sendall(b"pong")
            assert b"".join(iter(got.readline, b"\r\n")) == b"HTTP/1.1 101 Switching Protocols\r\n"
            assert got.read(4) == b"pong"
