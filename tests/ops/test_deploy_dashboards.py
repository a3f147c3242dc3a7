"""deploy-dashboards writes each committed dashboard once through Grafana's API, and reports Grafana's refusals."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops import deploy_dashboards
from ops.clients.grafana_api import Grafana
from ops.deploy_dashboards import deploy, read
from ops.errors import OpsError, UsageError
from tests.engine.grafana_stand_in import GrafanaStandIn, running
from tests.mock_engine import ROOT
from tests.ops.conftest import Done

TOKEN = "glsa_secret_of_the_test"
SOURCES = ("prometheus", "loki", "jaeger", "alertmanager")


class Server(GrafanaStandIn):
    """A fake Grafana that has data sources and can refuse dashboards."""

    def __init__(self, *sources: str) -> None:
        super().__init__()
        self.sources = {uid: {"uid": uid, "type": uid} for uid in sources or SOURCES}
        self.refused: set[str] = set()
        self.written: list[str] = []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST" and path.startswith("/api/dashboards/db"):
            uid = body["dashboard"]["uid"]
            if uid in self.refused:
                return 412, {"message": "A dashboard with the same name in the folder already exists"}
            self.written.append(uid)
        return super().answer(method, path, body)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with running(server) as address:
        yield address


def deployed(url: str, *uids: str, dry_run: bool = False, runbooks: str = "https://runbooks.test") -> tuple[int, str]:
    text = Console(file=StringIO(), width=160, record=True)
    code = deploy(text, Grafana(url, TOKEN), read(runbooks, uids), dry_run=dry_run)
    return code, text.export_text()


def test_everything_is_written_once_into_the_folders_of_the_systems(server: Server, url: str) -> None:
    code, shown = deployed(url)
    files = len(list((ROOT / "dashboards/rendered").glob("*.json")))

    assert code == 0, shown
    assert server.login == f"Bearer {TOKEN}"
    assert TOKEN not in shown
    assert len(server.dashboards) == files
    assert f"{files} created." in shown
    assert server.dashboards["job-queue-overview"]["meta"]["folderUid"] == "job-queue"
    assert server.folders["job-queue"]["title"] == "Job Queue"

    server.written.clear()
    code, shown = deployed(url)
    assert code == 0
    assert server.written == []
    assert f"{files} unchanged." in shown


def test_a_dry_run_shows_the_difference_and_changes_nothing(server: Server, url: str) -> None:
    code, shown = deployed(url, "job-queue-overview", dry_run=True)
    assert code == 0
    assert "job-queue-overview: would be created" in shown
    assert '+  "uid": "job-queue-overview"' in shown
    assert (server.folders, server.dashboards, server.written) == ({}, {}, [])

    deployed(url, "job-queue-overview")
    server.dashboards["job-queue-overview"]["dashboard"]["title"] = "Changed by hand"
    _, shown = deployed(url, "job-queue-overview", dry_run=True)
    assert '-  "title": "Changed by hand"' in shown
    assert '+  "title": "Job Queue - Overview"' in shown
    assert "version" not in shown, "numbers that Grafana adds must not be shown as a difference"
    assert server.written == ["job-queue-overview"]


def test_a_dashboard_that_was_changed_by_hand_is_written_again(server: Server, url: str) -> None:
    deployed(url, "job-queue-overview")
    server.dashboards["job-queue-overview"]["dashboard"]["title"] = "Changed by hand"
    _, shown = deployed(url, "job-queue-overview")

    assert "1 updated." in shown
    assert server.dashboards["job-queue-overview"]["dashboard"]["title"] == "Job Queue - Overview"


def test_a_dashboard_in_another_folder_is_moved(server: Server, url: str) -> None:
    deployed(url, "job-queue-overview")
    server.dashboards["job-queue-overview"]["meta"]["folderUid"] = "old"
    _, shown = deployed(url, "job-queue-overview", dry_run=True)
    assert "folder: old -> job-queue" in shown
    _, shown = deployed(url, "job-queue-overview")

    assert "1 moved." in shown
    assert server.dashboards["job-queue-overview"]["meta"]["folderUid"] == "job-queue"


def test_a_folder_gets_its_title(server: Server, url: str) -> None:
    server.folders["job-queue"] = {"uid": "job-queue", "title": "Old"}
    deployed(url, "job-queue-overview")

    assert server.folders["job-queue"]["title"] == "Job Queue"


def test_runbook_links_lead_to_the_address_of_the_stack(server: Server, url: str) -> None:
    deployed(url, "job-queue-overview", runbooks="https://wiki.test/runbooks/")
    variables = server.dashboards["job-queue-overview"]["dashboard"]["templating"]["list"]
    (constant,) = (one for one in variables if one["name"] == "runbooks")

    assert constant["query"] == constant["current"]["value"] == "https://wiki.test/runbooks"


def test_a_refused_dashboard_is_reported_and_the_others_are_written(server: Server, url: str) -> None:
    server.refused = {"job-queue-overview"}
    code, shown = deployed(url, "job-queue-overview", "platform-overview")

    assert code == 1
    assert "job-queue-overview: failed" in shown
    assert "412 A dashboard with the same name in the folder already exists" in shown
    assert server.written == ["platform-overview"]
    server.refused = set()
    assert deployed(url, "job-queue-overview", "platform-overview")[0] == 0, "a second run must succeed"


def test_a_missing_data_source_is_named() -> None:
    server = Server("loki")
    with running(server) as url:
        code, shown = deployed(url, "job-queue-overview")

    assert code == 1
    assert "job-queue-overview: this Grafana has no data source with uid 'prometheus'; there are: loki" in shown


def test_an_unreachable_grafana_is_an_error() -> None:
    with pytest.raises(OpsError, match=r"Grafana at http://127\.0\.0\.1:9 does not answer"):
        deployed("http://127.0.0.1:9")


def test_a_wrong_token_is_an_error_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(server, "answer", lambda *_: (401, {"message": "invalid API key"}))
    with (
        running(server) as url,
        pytest.raises(OpsError, match="does not accept GRAFANA_API_TOKEN: invalid API key") as e,
    ):
        deployed(url)
    assert TOKEN not in str(e.value)
    assert TOKEN not in repr(Grafana("u", TOKEN))


def test_an_unknown_dashboard_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no dashboard nope; there are: .*job-queue-overview"):
        read("https://runbooks.test", ["nope"])


def test_a_wrong_file_is_refused_before_anything_changes(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"uid": "one", "tags": ["moon"]}')
    with pytest.raises(
        OpsError, match=r'dashboards/rendered/one\.json: tags: \["moon"\] must name exactly one system; allowed: '
    ):
        read("https://runbooks.test", folder=tmp_path)


GIVEN = {"GRAFANA_URL": "http://127.0.0.1:9", "GRAFANA_API_TOKEN": TOKEN}


@pytest.mark.parametrize("missing", GIVEN)
def test_the_command_names_the_missing_variable(
    ops: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing, raising=False)
    done = ops("deploy-dashboards", "--dry-run", **{key: value for key, value in GIVEN.items() if key != missing})
    assert done.returncode == 2, done.stderr
    assert f"error: {missing} is not set" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_the_script_works_from_every_folder() -> None:
    clean = {key: value for key, value in os.environ.items() if key not in GIVEN}
    script = ROOT / "ops/deploy-dashboards"
    done = subprocess.run([script, "--dry-run"], env=clean, cwd="/", capture_output=True, text=True, check=False)
    assert stat.S_IXUSR & script.stat().st_mode
    assert done.returncode == 2, done.stderr
    assert "error: GRAFANA_URL is not set" in done.stderr


def test_sources_are_found_wherever_they_are_named() -> None:
    document = {
        "panels": [{"datasource": {"type": "loki", "uid": "logs"}, "targets": [{"datasource": {"uid": "${loki}"}}]}],
        "annotations": {"list": [{"datasource": "-- Grafana --"}]},
        "templating": {
            "list": [{"type": "datasource", "query": "prometheus", "current": {"value": "metrics"}}],
        },
    }
    assert deploy_dashboards._sources(document) == {"logs", "metrics"}
