"""The start page shows what the stack answers, switches faults, and has no other paths. Fakes answer for the stack."""

import re
from urllib.parse import urlsplit

import httpx
import pytest

from alerting.files import RULES
from ops.start_page.guard import Guard
from ops.start_page.server import PORT, serve
from ops.start_page.state import Stack
from settings import stack_files
from tests.ops.start_page.conftest import Services


def test_it_shows_alerts_deliveries_links_and_switches(page: str, services: tuple[Services, str]) -> None:
    text = httpx.get(page).text
    assert "<title>2 firing - local</title>" in text
    assert text.index("&lt;b&gt;Early&lt;/b&gt;") < text.index("Late"), "the longest firing first, and escaped"
    assert "<b>Early" not in text
    assert text.index("channel-2.0") < text.index("channel-1.0"), "the newest delivery first"
    assert "<td>00:00:02</td><td>channel-2.0</td><td>firing</td><td>Late</td>" in text
    assert f'<a href="{services[1]}">grafana</a>' in text
    assert re.findall(r">switch (\w+)<", text) == ["on", "off"], "by what is on now"
    assert "http" not in text.replace(services[1], "").replace("http-equiv", ""), "nothing is loaded from elsewhere"


@pytest.mark.parametrize(("to", "method"), [("on", "PUT"), ("off", "DELETE")])
def test_it_switches_a_fault(page: str, services: tuple[Services, str], to: str, method: str) -> None:
    with httpx.Client(base_url=page) as person:
        person.get("/")
        answer = person.post("/", data={"system": "api", "fault": "Slow", "to": to}, headers={"Origin": page})
    assert (answer.status_code, answer.headers["location"]) == (303, "/#faults")
    assert services[0].calls == [f"{method} /faults/Slow"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"system": "api", "fault": "Slow", "to": "up"}, "`to` is not allowed; allowed: on or off"),
        ({"system": "web", "fault": "Slow", "to": "on"}, "unknown system 'web'; there are: api"),
        ({"system": "api", "fault": "../Slow", "to": "on"}, "api has no fault '../Slow'; there are: Slow, Broken"),
        ({"system": "api", "fault": "S" * 2000, "to": "on"}, "The body must have a length of at most 1000 bytes."),
    ],
)
def test_a_wrong_switch_is_refused(
    page: str, services: tuple[Services, str], guard: Guard, form: dict[str, str], problem: str
) -> None:
    answer = httpx.post(page, data=form, auth=tuple(guard.login.split(":")))
    assert (answer.status_code, answer.text) == (400, problem)
    assert services[0].calls == []


def test_a_service_that_does_not_answer_is_named_and_the_rest_is_shown(services: tuple[Services, str]) -> None:
    url = services[1]
    endpoints = {"alertmanager": "http://127.0.0.1:1", "receiver": url}
    with serve(Stack("local", endpoints, {"api": url}), Guard(1), 0) as start:
        text = httpx.get(start.replace("localhost", "127.0.0.1")).text
    assert "Alertmanager at http://127.0.0.1:1 does not answer" in text
    assert "channel-2.0" in text


def test_a_stack_without_simulator_has_links_and_alerts_only(services: tuple[Services, str]) -> None:
    with serve(Stack("staging", {"alertmanager": services[1]}, {}), Guard(1), 0) as start:
        text = httpx.get(start.replace("localhost", "127.0.0.1")).text
    assert "2 firing - staging" in text
    assert "Make something fail" not in text


@pytest.mark.parametrize("path", ["/other", "/runbooks/", "/runbooks/Unknown.md", "/runbooks/..%2Frouting.yaml"])
def test_there_is_nothing_else(page: str, path: str) -> None:
    # The guard refuses paths that leave a folder.
    assert httpx.get(page + path).status_code in (403, 404)


def test_the_runbook_links_of_local_notifications_lead_here(page: str) -> None:
    base = urlsplit(stack_files.typed(stack_files.read("local").values).runbook_base_url)
    assert (base.scheme, base.netloc) == ("http", f"localhost:{PORT}")
    for name in ("Watchdog", "ApiErrorRateHigh"):
        answer = httpx.get(f"{page}{base.path}/{name}.md")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8", "no page of HTML"
        assert answer.text == (RULES / "runbooks" / f"{name}.md").read_text()
