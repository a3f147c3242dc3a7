"""The start page in a real browser: it obeys the page's content policy, follows redirects and refreshes by itself."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Page

from local import debian
from ops.start_page.forward import guarded
from ops.start_page.guard import Guard
from tests.ops.start_page.browser import browser
from tests.ops.start_page.conftest import Services

pytestmark = pytest.mark.skipif(not debian.available(), reason="the browser is one of Debian's packages")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    """A browser for all tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def tab(chromium: Browser) -> Generator[Page]:
    """A new tab."""
    with chromium.new_page() as opened:
        yield opened


def _texts(tab: Page, selector: str) -> list[str]:
    return tab.locator(selector).all_inner_texts()


def test_a_person_sees_alerts_deliveries_links_and_switches(
    page: str, services: tuple[Services, str], tab: Page
) -> None:
    loaded: set[str] = set()
    complaints: list[str] = []
    tab.on("request", lambda request: loaded.add(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.goto(page)
    assert tab.title() == "2 firing - local"
    assert _texts(tab, "h2") == ["Firing now", "Delivered last", "Open", "Make something fail"]
    assert "<b>Early</b>" in _texts(tab, "td"), "shown as text"
    assert tab.evaluate("document.querySelector('a[href]').href").startswith(services[1])
    assert _texts(tab, "button") == ["switch on", "switch off"]
    style = "getComputedStyle(document.querySelector('table'))"
    assert tab.evaluate(f"{style}.borderCollapse") == "collapse", "the page's own style is allowed by its policy"
    assert {url.rstrip("/") for url in loaded} == {page}, "nothing is loaded from elsewhere"
    assert complaints == [], "the browser complains of nothing"


def test_a_click_switches_a_fault_and_shows_it(page: str, services: tuple[Services, str], tab: Page) -> None:
    tab.goto(page)
    for expected, then in (("PUT", ["switch off", "switch off"]), ("DELETE", ["switch on", "switch off"])):
        with tab.expect_navigation():
            tab.locator("button").first.click()
        assert services[0].calls.pop() == f"{expected} /faults/Slow"
        assert _texts(tab, "button") == then
        assert tab.evaluate("location.hash") == "#faults", "where the person was"


def test_the_page_refreshes_itself_where_the_person_reads(page: str, services: tuple[Services, str], tab: Page) -> None:
    tab.set_viewport_size({"width": 800, "height": 200})
    tab.goto(page)
    tab.evaluate("scrollTo(0, 1e6)")
    assert tab.evaluate("scrollY") > 0
    with tab.expect_navigation():
        del services[0].answers["/api/v2/alerts"][0]
    assert tab.title() == "1 firing - local"
    tab.wait_for_function("scrollY > 0")


def test_another_site_cannot_switch_faults(page: str, services: tuple[Services, str], tab: Page) -> None:
    form = f"<form method=post action={page}/><input name=system value=api><input name=fault value=Slow>"
    tab.goto(f"data:text/html,{form}<button name=to value=on>go</button></form>")
    with tab.expect_navigation():
        tab.locator("button").click()
    (refusal,) = _texts(tab, "body")
    assert refusal.strip() == "A page of null may not send requests here; allowed: this page."
    assert services[0].calls == []


def test_a_page_behind_the_guard_works_for_its_own_scripts_only(
    guard: Guard, services: tuple[Services, str], tab: Page
) -> None:
    """The person opens it without the start page, as from a notification."""
    services[0].answers["/page"] = {}
    with guarded(guard, 0, services[1]) as url:
        tab.goto(f"{url}/page")
        assert tab.evaluate(f"fetch('{url}/silences', {{method: 'POST', body: 'x'}}).then(r => r.status)") == 200
        assert services[0].calls == ["POST /silences"]
        other = url.replace("localhost", "127.0.0.1")
        tab.goto(f"{other}/page")
        # To the browser, an address with another name or port is another site, whose servers it sends no cookie.
        post = f"fetch('{url}/silences', {{method: 'POST', mode: 'no-cors'}}).then(r => r.type)"
        assert tab.evaluate(post) == "opaque"
        assert tab.evaluate(f"fetch('{url}/page').then(r => r.text(), () => 'not readable')") == "not readable"
    assert services[0].calls == ["POST /silences"]
