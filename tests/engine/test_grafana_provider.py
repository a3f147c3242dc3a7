"""The stand-in `grafana` provider, with a fake of Grafana's API and with provisioning files."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.grafana.provider import PLACE, GrafanaProvider
from engine.stand_ins.server import Notes
from engine.stand_ins.values import plain, properties
from tests.engine.grafana_objects import (
    ALL,
    BOARD,
    DASHBOARD,
    FOLDER,
    MUTE,
    NIGHTS,
    PAGER,
    POINT,
    POLICY,
    SECRET,
    SOURCE,
)
from tests.engine.grafana_stand_in import GrafanaStandIn, running

NOWHERE = "http://127.0.0.1:1"  # nothing listens on port 1 (tcpmux)


def values(inputs: dict[str, Any]) -> dict[str, PropertyValue]:
    def value(item: Any) -> PropertyValue:
        if isinstance(item, PropertyValue):
            return item
        if isinstance(item, list):
            return PropertyValue([value(inner) for inner in item])
        return PropertyValue({k: value(v) for k, v in item.items()}) if isinstance(item, dict) else PropertyValue(item)

    return {key: value(item) for key, item in inputs.items()}


class Run:
    """The calls that the engine makes to one provider process during one run."""

    def __init__(self, folder: Path, url: str, *, retries: int = 0) -> None:
        self.notes = Notes("")
        self.provider = GrafanaProvider(folder, self.notes)
        args = {"url": url, "auth": "admin:pw", "retries": str(retries), "retryWait": "1"}
        self.loop = asyncio.new_event_loop()
        self._do(self.provider.configure(rpc.ConfigureRequest({}, properties(args, {}), True, True)))

    def _do(self, call: Any) -> Any:
        return self.loop.run_until_complete(call)

    def create(self, what: tuple[str, dict[str, Any]], *, preview: bool = False) -> rpc.CreateResponse:
        urn = f"urn:pulumi:dev::p::x$grafana:{what[0]}::n"
        checked = self._do(self.provider.check(rpc.CheckRequest(urn, {}, values(what[1]), b"")))
        assert not checked.failures
        return self._do(self.provider.create(rpc.CreateRequest(urn, checked.inputs, 0, preview)))

    def diff(self, what: tuple[str, dict[str, Any]], state: Any) -> rpc.DiffResponse:
        return self._do(self.provider.diff(rpc.DiffRequest(_urn(what), "i", state, values(what[1]), [])))

    def update(self, what: tuple[str, dict[str, Any]], state: Any) -> Any:
        request = rpc.UpdateRequest(_urn(what), "i", state, values(what[1]), 0, [], False)
        return self._do(self.provider.update(request)).properties

    def read(self, what: tuple[str, dict[str, Any]], state: Any) -> rpc.ReadResponse:
        return self._do(self.provider.read(rpc.ReadRequest(_urn(what), "i", state, values(what[1]))))

    def delete(self, what: tuple[str, dict[str, Any]], state: Any) -> None:
        self._do(self.provider.delete(rpc.DeleteRequest(_urn(what), "i", state, 0)))

    def problems(self, what: tuple[str, dict[str, Any]]) -> dict[str, str]:
        checked = self._do(self.provider.check(rpc.CheckRequest(_urn(what), {}, values(what[1]), b"")))
        return {failure.property: failure.reason for failure in checked.failures}


def _urn(what: tuple[str, dict[str, Any]]) -> str:
    return f"urn:pulumi:dev::p::grafana:{what[0]}::n"


def changed(what: tuple[str, dict[str, Any]], **inputs: Any) -> tuple[str, dict[str, Any]]:
    return what[0], {**what[1], **inputs}


@pytest.fixture
def grafana():
    found = GrafanaStandIn()
    with running(found):
        yield found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "grafana-provisioning"


def test_every_kind_is_created_by_api_shows_no_changes_and_is_deleted(grafana, folder):
    run = Run(folder, grafana.url)
    states = [run.create(what) for what in ALL]
    names = ["api", "d1", "loki", "till-slack", "till-pager", "nights", "policy"]
    assert [state.resource_id for state in states] == [f"1:{name}" for name in names]
    assert grafana.login.startswith("Basic ")
    assert grafana.points["till-slack-slack-0"]["settings"]["url"] == SECRET
    assert grafana.sources["loki"]["secureJsonData"] == {"basicAuthPassword": "hunter22"}
    assert grafana.points["till-pager-pagerduty-0"]["settings"] == {
        "integrationKey": "hush-key",
        "url": "https://pager.example.com",
        "client_url": "https://am.example.com",
        "details": {"receiver": "till-pager"},
    }
    assert grafana.points["till-pager-email-0"]["settings"] == {
        "addresses": "a@example.com;b@example.com",
        "singleEmail": True,
    }
    assert grafana.mutes["nights"]["time_intervals"] == [NIGHTS]
    (route,) = grafana.policy["routes"]
    assert route["object_matchers"] == [["system", "=", "till"]]
    assert route["routes"][0]["mute_time_intervals"] == ["nights"]
    assert route["routes"][0]["receiver"] == "till-slack"
    for what, state in zip(ALL, states, strict=True):
        assert not run.diff(what, state.properties).changes, what
        read = run.read(what, state.properties)
        assert read.resource_id, what
        assert not run.diff(what, read.properties).changes, what
    assert not folder.exists()
    for what, state in reversed(list(zip(ALL, states, strict=True))):
        run.delete(what, state.properties)
    left = [grafana.folders, grafana.dashboards, grafana.sources, grafana.points, grafana.mutes]
    assert left == [{}, {}, {}, {}, {}]


def test_drift_names_the_changed_field(grafana, folder):
    run = Run(folder, grafana.url)
    states = {what[0]: run.create(what).properties for what in ALL if what != PAGER}
    grafana.folders["api"]["title"] = "Mine"
    grafana.sources["loki"]["url"] = "http://other"
    grafana.points["till-slack-slack-0"]["settings"]["title"] = "mine"
    grafana.policy["receiver"] = "mine"
    grafana.mutes["nights"]["time_intervals"][0]["weekdays"] = ["sunday"]
    grafana.dashboards["d1"]["dashboard"] |= {"title": "Mine", "version": 2}
    found = {what[0]: run.diff(what, run.read(what, states[what[0]]).properties).diffs for what in ALL if what != PAGER}
    assert found == {
        FOLDER[0]: ["title"],
        BOARD[0]: ["configJson"],
        SOURCE[0]: ["url"],
        POINT[0]: ["slacks"],
        MUTE[0]: ["intervals"],
        POLICY[0]: ["contactPoint"],
    }


def test_another_uid_replaces_the_object_and_the_layout_of_json_does_not_matter(grafana, folder):
    run = Run(folder, grafana.url)
    state = run.create(BOARD).properties
    assert not run.diff(changed(BOARD, configJson=json.dumps(DASHBOARD, indent=3)), state).changes
    assert run.diff(changed(BOARD, configJson=json.dumps({**DASHBOARD, "title": "Two"})), state).replaces == []
    assert run.diff(changed(BOARD, configJson=json.dumps({**DASHBOARD, "uid": "d2"})), state).replaces == ["configJson"]
    assert run.diff(changed(FOLDER, uid="b"), run.create(FOLDER).properties).replaces == ["uid"]


def test_files_hold_no_secret_and_only_the_user_reads_them(folder):
    run = Run(folder, NOWHERE)
    states = [run.create(what) for what in ALL]
    (note,) = run.notes.lines
    assert note.startswith(f"no Grafana answers at {NOWHERE}")
    assert str(folder) in note
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert sorted(files) == [
        "README.txt",
        "alerting/contact-point-till-pager.yaml",
        "alerting/contact-point-till-slack.yaml",
        "alerting/mute-timing-nights.yaml",
        "alerting/notification-policy.yaml",
        "dashboards-json/api/d1.json",
        "dashboards/api.yaml",
        "datasources/loki.yaml",
    ]
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "hush" not in path.read_text()
        assert "hunter22" not in path.read_text()
    assert json.loads(files["dashboards-json/api/d1.json"].read_text()) == DASHBOARD
    (source,) = yaml.safe_load(files["datasources/loki.yaml"].read_text())["datasources"]
    assert source["jsonData"]["derivedFields"][0]["url"] == "$${__value.raw}"
    assert source["secureJsonData"] == {"basicAuthPassword": "$__env{GRAFANA_LOKI_BASIC_AUTH_PASSWORD}"}
    (point,) = yaml.safe_load(files["alerting/contact-point-till-slack.yaml"].read_text())["contactPoints"]
    settings = {"url": "$__env{GRAFANA_TILL_SLACK_URL}", "title": "{{ $$x }}", "recipient": "#till"}
    assert point["receivers"][0]["settings"] == settings
    (point,) = yaml.safe_load(files["alerting/contact-point-till-pager.yaml"].read_text())["contactPoints"]
    found = {one["type"]: one["settings"] for one in point["receivers"]}
    assert found["pagerduty"]["integrationKey"] == "$__env{GRAFANA_TILL_PAGER_INTEGRATION_KEY}"
    assert found["pagerduty"]["url"] == "https://pager.example.com", "this address is not a secret"
    assert found["email"]["addresses"] == "a@example.com;b@example.com"
    (mute,) = yaml.safe_load(files["alerting/mute-timing-nights.yaml"].read_text())["muteTimes"]
    assert mute == {"orgId": 1, "name": "nights", "time_intervals": [NIGHTS]}
    (provider,) = yaml.safe_load(files["dashboards/api.yaml"].read_text())["providers"]
    assert provider["options"]["path"] == "$__env{GF_PATHS_PROVISIONING}/dashboards-json/api"
    assert "GRAFANA_TILL_SLACK_URL" in files["README.txt"].read_text()
    for what, state in zip(ALL, states, strict=True):
        assert not run.diff(what, state.properties).changes
        assert run.read(what, state.properties).resource_id
        run.delete(what, state.properties)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_content_in_files_moves_to_a_grafana_that_now_answers(grafana, folder):
    states = [Run(folder, NOWHERE).create(what).properties for what in ALL]
    run = Run(folder, grafana.url)
    for what, state in zip(ALL, states, strict=True):
        assert not run.read(what, state).resource_id, "a refresh must find that Grafana does not have the object"
        assert run.diff(what, state).diffs == [PLACE]
        assert plain(run.update(what, state))[PLACE] == "api"
    assert set(grafana.dashboards) == {"d1"}
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_the_provider_waits_for_a_server_of_the_stack_and_writes_no_files(grafana, folder):
    run = Run(folder, NOWHERE, retries=1)
    assert run.create(FOLDER, preview=True).properties
    with pytest.raises(ProviderError, match=r"did not answer within 1 s"):
        run.create(FOLDER)
    assert not folder.exists()
    state = Run(folder, grafana.url, retries=1).create(FOLDER).properties
    assert not run.diff(FOLDER, state).changes


def test_refresh_and_destroy_report_a_grafana_that_is_down_and_succeed(grafana, folder):
    state = Run(folder, grafana.url).create(FOLDER).properties
    down = Run(folder, NOWHERE, retries=1)
    assert plain(down.read(FOLDER, state).properties) == plain(state)
    down.delete(FOLDER, state)
    assert [line.partition("; ")[2] for line in down.notes.lines] == [
        "its content was not compared with the state",
        "objects removed from the stack may still exist in it",
    ]


def test_content_stays_in_files_when_grafana_loads_them_itself(grafana, folder):
    state = Run(folder, NOWHERE).create(SOURCE).properties
    grafana.sources["loki"] = {"uid": "loki", "readOnly": True}
    run = Run(folder, grafana.url)
    assert not run.diff(SOURCE, state).changes
    assert "loads provisioning files itself" in run.notes.lines[0]


def test_an_object_that_already_exists_in_grafana_is_refused(grafana, folder):
    grafana.folders["api"] = {"uid": "api", "title": "Theirs"}
    with pytest.raises(ProviderError, match="folder api already exists in Grafana"):
        Run(folder, grafana.url).create(FOLDER)


def test_problems_name_the_wrong_argument(folder):
    run = Run(folder, NOWHERE)
    assert "official plugin" in run.problems(changed(FOLDER, parentFolderUid="x"))["parentFolderUid"]
    assert run.problems(changed(BOARD, configJson="{"))["configJson"] == "not a JSON object"
    assert "no uid" in run.problems(changed(BOARD, configJson='{"title": "x"}'))["configJson"]
    assert run.problems((FOLDER[0], {"uid": "x"}))["title"] == "required"


def test_refused_credentials_are_one_clear_error(grafana, folder, monkeypatch):
    monkeypatch.setattr(
        grafana, "answer", lambda method, path, body: (200, {"database": "ok"}) if "health" in path else (401, {})
    )
    with pytest.raises(ProviderError, match="refuses the login"):
        Run(folder, grafana.url).create(FOLDER)
