"""Drift is sorted by pure rules, and the real engine finds it in a fake Grafana."""

import json

import pytest
import typer

from engine import actions
from engine.events import Difference
from ops.drift import command, findings, unmanaged
from ops.drift.findings import Category
from ops.drift.unmanaged import Resource
from ops.errors import OpsError
from tests.engine.grafana_stand_in import GrafanaStandIn, running

DEPLOYMENT, SERVICE = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"


def difference(kind: str = DEPLOYMENT, *, before=None, now=None, **others) -> Difference:
    given = {"id": "observability/x", "deleted": False, "outputs": {}, "found_outputs": {}, **others}
    return Difference(type=kind, inputs=before or {}, found_inputs=now or {}, **given)


def sorted_out(*differences: Difference, autoscaled=()) -> list[tuple[str, str]]:
    found = findings.findings(differences, findings.expected(), set(autoscaled))
    return [(str(one.category), one.path) for one in found]


def test_an_edited_field_of_the_program_is_drift_with_both_values():
    before, now = ({"spec": {"template": {"image": name}}} for name in ("a:1", "a:2"))
    found = findings.findings([difference(before=before, now=now)], findings.expected(), set())
    assert found == [
        findings.Finding(Category.CHANGED, DEPLOYMENT, "observability/x", "spec.template.image", "a:1", "a:2", "")
    ]


def test_other_replicas_are_expected_only_with_an_autoscaler():
    scaled = difference(before={"spec": {"replicas": 1}}, now={"spec": {"replicas": 3}})
    assert sorted_out(scaled) == [("changed", "spec.replicas")]
    assert sorted_out(scaled, autoscaled={"observability/x"}) == [("expected", "spec.replicas")]


def test_expected_fields_match_only_their_exact_path():
    before = {"spec": {"ports": [{"port": 80, "nodePort": 0}]}}
    now = {"spec": {"ports": [{"port": 81, "nodePort": 30001}]}}
    assert sorted_out(difference(SERVICE, before=before, now=now)) == [
        ("expected", "spec.ports[0].nodePort"),
        ("changed", "spec.ports[0].port"),
    ]
    assert sorted_out(
        difference("aws:s3/bucket:Bucket", before={"tags": {}}, now={"tags": {"aws:x": "1", "x": "1"}})
    ) == [
        ("expected", 'tags["aws:x"]'),
        ("changed", "tags.x"),
    ]


def test_changes_of_fields_that_the_program_does_not_set_are_expected():
    status = difference(outputs={"status": {"a": 1}, "__inputs": 1}, found_outputs={"status": {"a": 2}, "__inputs": 2})
    assert sorted_out(status) == [("expected", "status")]


def test_hidden_difference_and_missing_object_are_drift():
    assert sorted_out(difference(), difference(deleted=True)) == [("changed", "[secret]"), ("deleted", "")]


def test_every_expected_entry_has_a_reason():
    assert all(len(entry.reason) > 20 for entry in findings.expected())


class Cluster:
    """A fake API server whose lists a test chooses."""

    def __init__(self, **lists) -> None:
        self.lists = lists

    def items(self, path: str, **query: str) -> list[dict]:
        assert "/namespaces/observability/" in path
        return self.lists.get(path.rpartition("/")[2], [])


def named(name: str, **metadata) -> dict:
    return {"metadata": {"name": name, **metadata}, "spec": {"scaleTargetRef": {"name": name}}}


def test_unmanaged_workloads_in_namespaces_of_the_stack_are_found():
    ours = [
        Resource(kind="kubernetes:core/v1:Namespace", id="observability", inputs={}),
        Resource(kind=DEPLOYMENT, id="observability/grafana", inputs={}),
    ]
    api = Cluster(
        deployments=[named("grafana"), named("debug")],
        pods=[named("grafana-1", ownerReferences=[{"kind": "ReplicaSet"}]), named("shell")],
        statefulsets=[named("grafana")],
        horizontalpodautoscalers=[named("grafana")],
    )
    assert [(one.kind, one.name) for one in unmanaged.workloads(ours, api)] == [
        ("kubernetes:Deployment", "observability/debug"),
        ("kubernetes:StatefulSet", "observability/grafana"),
        ("kubernetes:Pod", "observability/shell"),
    ]
    assert unmanaged.autoscaled(ours, api) == {"observability/grafana"}


PROGRAM = """
import json
import pulumi
from pulumiverse_grafana import Provider, oss
opts = pulumi.ResourceOptions(provider=Provider("api", url=pulumi.Config().require("url"), auth="admin:pw"))
folder = oss.Folder("ours", uid="ours", title="Ours", opts=opts)
for uid in ("one", "two", "three"):
    board = {"uid": uid, "title": uid, "panels": []}
    oss.Dashboard(uid, config_json=json.dumps(board), folder=folder.uid, overwrite=True, opts=opts)
"""


def board(uid: str, title: str, version: int = 1, folder: str = "ours") -> dict:
    return {"dashboard": {"uid": uid, "title": title, "version": version, "panels": []}, "meta": {"folderUid": folder}}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_drift_is_found_and_sorted_without_changes(small_stack, monkeypatch, capsys):
    grafana = GrafanaStandIn()
    with running(grafana) as url:
        small = small_stack(PROGRAM, url=url)
        monkeypatch.setattr(actions, "workspace", lambda name: small)
        with pytest.raises(OpsError, match="stack dev has no resources"):
            command.look(small)
        actions.up(small, report=lambda _: None)
        command.drift(stack="local")
        assert "0 unexpected, 0 expected" in capsys.readouterr().out
        # Somebody edits Grafana by hand.
        grafana.dashboards["one"] = board("one", "By hand", version=2)
        del grafana.dashboards["two"]
        grafana.dashboards["theirs"] = board("theirs", "Somebody's")
        grafana.dashboards["elsewhere"] = board("elsewhere", "Not ours", folder="other")
        before = sorted((path, path.read_bytes()) for path in (small.backend / ".pulumi" / "stacks").rglob("*.json"))
        with pytest.raises(typer.Exit) as left:
            command.drift(stack="local", as_json=True)
        assert left.value.exit_code == command.DRIFTED
        found = json.loads(capsys.readouterr().out)
        assert [(one["category"], one["name"].rpartition(":")[2], one["path"]) for one in found] == [
            ("changed", "one", "configJson"),
            ("deleted", "two", ""),
            ("unmanaged", "ours/theirs", ""),
        ]
        assert "By hand" in found[0]["now"]
        after = sorted((path, path.read_bytes()) for path in (small.backend / ".pulumi" / "stacks").rglob("*.json"))
        assert after == before
    # While Grafana does not answer, the list is reported as incomplete.
    with pytest.raises(OpsError, match="the list is not complete: Grafana at"):
        command.drift(stack="local")
    assert "0 unexpected, 0 expected" in capsys.readouterr().out
