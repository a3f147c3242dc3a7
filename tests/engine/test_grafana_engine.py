"""Grafana's content under the real engine: first and second `up`, refresh and destroy, with and without a Grafana."""

import json
import shutil
import socket
from functools import partial

import pytest

from engine import actions, grafana_forward
from engine.workspace import machine_config
from local import grafana_home
from local.errors import LocalError
from local.ports import free_port
from tests.engine.grafana_stand_in import GrafanaStandIn, running

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PROJECT = """
name: small
runtime: python
config:
  namespace: {type: string, default: observability}
  url: {type: string}
  second: {type: boolean, default: false}
"""
PROGRAM = """
import json
import secrets
import pulumi
from pulumiverse_grafana import Provider, alerting, oss
config = pulumi.Config()
provider = Provider("api", url=config.require("url"), auth="admin:pw", retries=0)
# Stands for the volume, which holds all content: destroy deletes the volume instead of each object.
volume = oss.Folder("volume", uid="api", title="API", opts=pulumi.ResourceOptions(provider=provider))
opts = pulumi.ResourceOptions(provider=provider, depends_on=[volume], deleted_with=volume, replace_with=[volume])
board = {"uid": "one", "title": "Second" if config.get_bool("second") else "One", "panels": []}
oss.Dashboard("one", config_json=json.dumps(board), folder=volume.uid, overwrite=True, opts=opts)
# Like the password in components/grafana/server.py: every run generates a new value, and the first one stays.
kept = oss.Folder("kept", uid="kept", title=secrets.token_urlsafe(16),
    opts=pulumi.ResourceOptions(provider=provider, ignore_changes=["title"]))
point = alerting.ContactPoint("point", name="till", opts=opts,
    slacks=[{"url": pulumi.Output.secret("https://hooks.example.com/hush"), "title": "{{ $x }}"}])
alerting.NotificationPolicy("policy", contact_point=point.name, group_bies=["alertname"], opts=opts,
    policies=[{"contact_point": point.name, "continue_": True,
        "matchers": [{"label": "system", "match": "=", "value": "till"}]}])
pulumi.export("kept", kept.title)
"""


@pytest.fixture
def make(small_stack, tmp_path):
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    return partial(small_stack, PROGRAM)


@pytest.mark.nightly  # seven runs of the engine; test_grafana_provider.py calls the provider alone
def test_content_is_written_to_files_then_moves_to_the_api_and_is_destroyed(make):
    port, lines = free_port(), []
    url = f"http://127.0.0.1:{port}"
    stack = make(url=url)
    # Without a Grafana: files, and one line that says so.
    assert actions.up(stack, report=lines.append).changes == {"create": 7}
    files = stack.state / "grafana-provisioning"
    assert [line for line in lines if f"no Grafana answers at {url}" in line and str(files) in line]
    assert not [line for line in lines if "hush" in line]
    written = [path for path in files.rglob("*") if path.is_file()]
    assert len(written) == 6
    assert not [path for path in written if b"hush" in path.read_bytes()]
    first = actions.outputs(stack)["kept"]
    actions.up(stack, expect_no_changes=True, report=lambda _: None)
    grafana = GrafanaStandIn()
    with running(grafana, port):
        # A Grafana answers now: all content moves to it, and no file is left behind.
        assert actions.up(stack, report=lambda _: None).changes == {"update": 5}
        assert not [path for path in files.rglob("*") if path.is_file()]
        assert grafana.points["till-slack-0"]["settings"]["url"] == "https://hooks.example.com/hush"
        assert actions.up(make(url=url, second="true"), report=lambda _: None).changes == {"update": 1}
        assert grafana.dashboards["one"]["dashboard"]["title"] == "Second"
        actions.refresh(stack, expect_no_changes=True, report=lambda _: None)
        assert actions.outputs(stack)["kept"] == first == grafana.folders["kept"]["title"]
    # The Grafana is down: refresh and destroy report it, and succeed.
    lines.clear()
    actions.refresh(stack, report=lines.append)
    assert [line for line in lines if "was not compared" in line]
    assert actions.destroy(stack, report=lines.append).changes["delete"] == 7
    assert json.loads(json.dumps(sorted(grafana.folders))) == ["api", "kept"]


def test_port_in_use_is_one_clear_error(make, tmp_path):
    (tmp_path / "Pulumi.yaml").write_text(
        PROJECT + "  grafana: {type: boolean, default: true}\n  grafanaApiUrl: {type: string}\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = make(grafanaApiUrl=f"http://127.0.0.1:{port}")
        stack.render()
        with pytest.raises(LocalError, match=rf"local port {port} is in use.*grafanaApiUrl"):
            grafana_forward.to_grafana(stack).__enter__()


@pytest.mark.parametrize("address", ["https://grafana.example.com", "http://127.0.0.1:1"])
def test_no_port_is_forwarded_for_another_address_or_without_a_server(make, tmp_path, monkeypatch, address):
    text = PROJECT + "  grafana: {type: boolean, default: %s}\n  grafanaApiUrl: {type: string}\n"
    (tmp_path / "Pulumi.yaml").write_text(text % ("false" if "127" in address else "true"))
    stack = make(grafanaApiUrl=address)
    stack.render()
    monkeypatch.setattr(grafana_forward, "tool", None)
    with grafana_forward.to_grafana(stack):
        pass


def distribution(folder, *programs: str):
    for name in (*(f"bin/{program}" for program in programs), "conf/defaults.ini", "public/index.html", "VERSION"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("9.4.7")
    return folder


def test_grafana_home_decides_whether_the_embedded_cluster_has_a_server(tmp_path, monkeypatch):
    monkeypatch.setattr(grafana_home, "STATE", tmp_path / "state")
    monkeypatch.delenv("KUBE_CONTEXT", raising=False)
    monkeypatch.delenv("GRAFANA_HOME", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: small\nconfig:\n  grafana: {type: boolean, default: true}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  observability:kubeconfig: .state/kubeconfig\n")
    assert machine_config("dev", tmp_path) == {"observability:grafana": "false"}
    home = distribution(tmp_path / "grafana-9.4.7", "grafana", "grafana-server")
    monkeypatch.setenv("GRAFANA_HOME", str(home))
    assert machine_config("dev", tmp_path) == {"observability:grafana": "true"}
    assert grafana_home.version(home) == "9.4.7"
    assert grafana_home.entrypoint(home)[:2] == ("/usr/share/grafana/bin/grafana", "server")
    (home / "bin/grafana").unlink()
    assert grafana_home.entrypoint(home)[:2] == (
        "/usr/share/grafana/bin/grafana-server",
        "--homepath=/usr/share/grafana",
    )
    shutil.rmtree(home / "conf")
    (home / "bin/grafana-server").unlink()
    with pytest.raises(
        LocalError, match=r"not an unpacked Grafana distribution: it has no bin/grafana, conf/defaults.ini"
    ):
        machine_config("dev", tmp_path)
