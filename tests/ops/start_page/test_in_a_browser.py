"""The start page in a real browser: it obeys the page's content policy, follows redirects and refreshes by itself."""

from collections.abc import Generator
from pathlib import Path

import pytest

from local import debian
from tests.ops.start_page.browser import Browser, browser
from tests.ops.start_page.conftest import Services

pytestmark = pytest.mark.skipif(not debian.available(), reason="the browser is one of Debian's packages")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    """A browser for all tests of this file."""
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def _texts(tab: Browser, selector: str) -> list[str]:
    return tab.run(f"[...document.querySelectorAll({selector!r})].map(e => e.innerText)")


def test_a_person_sees_alerts_deliveries_links_and_switches(
    page: str, services: tuple[Services, str], chromium: Browser
) -> None:
    chromium.open(page)
    assert chromium.run("document.title") == "2 firing - local"
    assert _texts(chromium, "h2") == ["Firing now", "Delivered last", "Open", "Make something fail"]
    assert "<b>Early</b>" in _texts(chromium, "td"), "shown as text"
    assert chromium.run("document.querySelector('a[href]').href").startswith(services[1])
    assert _texts(chromium, "button") == ["switch on", "switch off"]
    style = "getComputedStyle(document.querySelector('table'))"
    assert chromium.run(f"{style}.borderCollapse") == "collapse", "the page's own style is allowed by its policy"
    loaded = {
        one["params"]["request"]["url"] for one in chromium.events if one["method"] == "Network.requestWillBeSent"
    }
    assert {url.rstrip("/") for url in loaded} == {page}, "nothing is loaded from elsewhere"
    assert not [one for one in chromium.events if one["method"] == "Log.entryAdded"], "the browser complains of nothing"


def test_a_click_switches_a_fault_and_shows_it(page: str, services: tuple[Services, str], chromium: Browser) -> None:
    chromium.open(page)
    for expected, then in (("PUT", ["switch off", "switch off"]), ("DELETE", ["switch on", "switch off"])):
        chromium.click("button")
        chromium.loaded()
        assert services[0].calls.pop() == f"{expected} /faults/Slow"
        assert _texts(chromium, "button") == then
        assert chromium.run("location.hash") == "#faults", "where the person was"


def test_the_page_refreshes_itself_where_the_person_reads(
    page: str, services: tuple[Services, str], chromium: Browser
) -> None:
    chromium.tab("Emulation.setDeviceMetricsOverride", width=800, height=200, deviceScaleFactor=1, mobile=False)
    chromium.open(page)
    chromium.run("scrollTo(0, 1e6)")
    before = chromium.run("scrollY")
    assert before > 0
    del services[0].answers["/api/v2/alerts"][0]
    chromium.loaded()
    assert chromium.run("document.title") == "1 firing - local"
    assert chromium.run("scrollY") > 0


def test_another_site_cannot_switch_faults(page: str, services: tuple[Services, str], chromium: Browser) -> None:
    form = f"<form method=post action={page}/><input name=system value=api><input name=fault value=Slow>"
    chromium.open(f"data:text/html,{form}<button name=to value=on>go</button></form>")
    chromium.click("button")
    chromium.loaded()
    assert _texts(chromium, "body") == ["Only this page may switch faults."]
    assert services[0].calls == []


def test_pictures_can_be_taken(page: str, chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page)
    chromium.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
