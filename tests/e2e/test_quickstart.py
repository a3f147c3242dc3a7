"""The commands of the quickstart work on the running local stack."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.paths import KUBECONFIG, ROOT, STATE
from ops.drills.deployed import ALWAYS_FIRES
from ops.drills.faults import PROGRAMS
from ops.start_page.server import PORT
from tests.e2e import quickstart
from tests.e2e.conftest import eventually
from tests.ops.start_page.browser import browser

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]
# `make open` serves fixed ports. With this offset they collide neither with those of other tests, nor with those of
# outgoing connections, which start at 32768.
OFFSET = 2_900


# The environment of a user's shell, without the variables of the `make` that runs the tests.
SHELL = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def run(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=SHELL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def opened() -> Iterator[None]:
    """Runs `make open` from the README."""
    if not KUBECONFIG.exists():
        pytest.fail("the local cluster does not run: make up")
    command = ["make", "open", f"ARGS=--offset {OFFSET}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=SHELL, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        try:
            eventually(lambda: "Ctrl-C" in process.stdout.readline(), seconds=120, what="make open does not open")
            yield
        finally:
            subprocess.run(["kill", f"-{signal.SIGINT}", "--", f"-{process.pid}"], check=False)


def test_a_second_up_would_change_nothing() -> None:
    assert "no changes" in run("make preview").lower()


@pytest.mark.usefixtures("opened")
def test_one_request_is_found_in_every_signal() -> None:
    request, number, line = quickstart.curls(OFFSET)
    answer = run(request)
    assert "503" in answer.splitlines()[0]
    assert "x-request-id: quickstart-1" in answer.lower()
    for command in (number, line):
        eventually(
            lambda command=command: json.loads(run(f"{command} --silent"))["data"]["result"], seconds=90, what=command
        )


def test_commands_of_the_readme_work_on_a_running_stack() -> None:
    assert "prometheus" in json.loads(run("make outputs"))["endpoints"]
    assert "otel-gateway-0" in run('make kubectl ARGS="get pods -A"')


def test_every_query_of_the_running_stack_answers() -> None:
    # Other tests kill pods meanwhile, and a later run finds them ready again.
    assert eventually(lambda: "queries are as they should be" in run("make check-queries"), seconds=180, what="queries")


@pytest.mark.usefixtures("opened")
def test_the_start_page_shows_the_running_stack_in_a_browser(tmp_path: Path) -> None:
    with browser(tmp_path) as chromium, chromium.new_page(viewport={"width": 1200, "height": 900}) as tab:

        def shows_what_always_fires() -> bool:
            tab.goto(f"http://localhost:{PORT + OFFSET}")
            return ALWAYS_FIRES in tab.locator("body").inner_text()

        eventually(shows_what_always_fires, seconds=90, what=f"{ALWAYS_FIRES} on the start page")
        assert tab.locator(".problem").all_inner_texts() == []
        assert tab.locator("button").count() > len(PROGRAMS), "every system has switches"
        for link in tab.locator("a").evaluate_all("all => all.map(one => one.href)"):
            answer = httpx.get(link, follow_redirects=True)
            # Prometheus' module has no web page, so the embedded one has none either.
            assert answer.status_code < 500 or "static/mantine-ui/index.html" in answer.text, link
        tab.screenshot(path=STATE / "start-page.png")  # the picture in docs/pictures.md
