"""The generated pages and the network picture name everything that they should."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from alerting import loader, routing
from settings.values import SECRETS
from tests.mock_engine import ROOT, Recorded
from tools.manual import network_picture, readme, runbooks_page, settings_page
from tools.manual.network_picture import Connection, Place


def test_every_setting_and_secret_is_on_the_page() -> None:
    page = settings_page.page()
    keys = [key for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"] if ":" not in key]
    assert len(keys) > 80
    for key in (*keys, *SECRETS, *routing.load().secrets()):
        assert page.count(f"| `{key}` |") == 1, key


def test_every_alert_is_on_the_page_with_its_runbook() -> None:
    page = runbooks_page.page()
    for alert in loader.load().rules():
        assert page.count(f"[{alert}](../rules/runbooks/{alert}.md)") == 1, alert


def test_the_readme_counts_the_alerts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    count = len(loader.load().rules())
    assert f"five systems and itself, with {count} alerts: " in readme.page()
    (tmp_path / readme.FILE).write_text("Observes itself, with 7 alerts, with 8 alerts.")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    assert readme.page() == f"Observes itself, with {count} alerts, with 8 alerts."


def test_the_picture_shows_what_is_allowed_and_what_is_denied(program: Callable[..., Recorded]) -> None:
    connections = network_picture.allowed(one.inputs for one in program("local").of("NetworkPolicy"))
    now = network_picture.picture(connections)
    ElementTree.fromstring(now)  # noqa: S314 - this project generated the text
    gateway, loki = Place("observability", "otel-gateway"), Place("observability", "loki")
    assert Connection(gateway, loki, (3100,)) in connections
    assert "<title>otel-gateway calls loki: 3100</title>" in now
    assert "<title>loki calls otel-gateway: denied</title>" in now


def policy(app: str | None, *peers: dict[str, object]) -> dict[str, object]:
    selector = {"matchLabels": {"app.kubernetes.io/name": app}} if app else {}
    spec = {"podSelector": selector, "ingress": [{"from": list(peers), "ports": [{"port": 80}, {"port": "named"}]}]}
    return {"metadata": {"namespace": "home"}, "spec": spec}


def test_each_kind_of_peer_has_a_place() -> None:
    pods = {"matchLabels": {"app.kubernetes.io/name": "caller"}}
    peers = (
        {"podSelector": pods},
        {"podSelector": pods, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}},
        {"namespaceSelector": {"matchLabels": {"access": "true"}}},
        {"namespaceSelector": {}},
        {"ipBlock": {"cidr": "10.0.0.0/8"}},
    )
    found = network_picture.allowed([policy("app", *peers), policy(None, {"podSelector": pods})])
    assert {connection.source for connection in found} == {
        Place("home", "caller"),
        Place("other", "caller"),
        Place("namespaces with access", "every pod"),
        Place("every namespace", "every pod"),
        Place("outside", "10.0.0.0/8"),
    }
    assert {(connection.target, connection.ports) for connection in found} == {(Place("home", "app"), (80,))}


def test_every_connection_is_in_the_picture() -> None:
    one, two = Place("home", "one"), Place("home", "two")
    drawn = network_picture.picture(
        [Connection(one, two, (1, 2)), Connection(two, one, (3,)), Connection(one, one, (4,))]
    )
    ElementTree.fromstring(drawn)  # noqa: S314 - this project generated the text
    for title in ("one calls two: 1, 2", "two calls one: 3", "one calls one: 4", "two calls two: denied"):
        assert f"<title>{title}</title>" in drawn
