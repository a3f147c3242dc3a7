"""Data sources, dashboards and contact points as resources, and the check of dashboard files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from alerting import routing
from alerting.routing import Timing
from components.collector import agent_config
from components.collector.gateway_config import INDEX_LABELS
from components.grafana.contact_points import ContactPoints
from components.grafana.content import grafana_provider
from components.grafana.dashboards import Dashboards
from components.grafana.data_sources import DataSources
from components.grafana.server import GrafanaServer
from dashboards import files as dashboard_files
from dashboards.files import DashboardFile, DashboardsError
from settings.apps import DATA_SOURCES
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
PANEL = {
    "title": "p",
    "type": "stat",
    "datasource": {"type": "prometheus", "uid": "${datasource}"},
    "targets": [{"refId": "A", "expr": "up"}],
}
VARIABLE = {"name": "datasource", "type": "datasource", "current": {"value": "prometheus"}}
GOOD: dict[str, Any] = {
    "uid": "one",
    "title": "One",
    "tags": ["observability", "api"],
    "templating": {"list": [VARIABLE]},
    "panels": [PANEL, {"type": "alertlist", "datasource": {"uid": "-- Grafana --"}}],
}


def in_grafana(component: Callable[[GrafanaServer, pulumi.ResourceOptions], object]) -> Callable[[], None]:
    def program() -> None:
        # These may be any custom resources, but not components: a dependency on a component means its children.
        workload, volume = (k8s.core.v1.ConfigMap(name, metadata={"name": name}) for name in ("workload", "volume"))
        server = GrafanaServer(workload=workload, volume=volume)
        provider = grafana_provider("grafana-api", "http://127.0.0.1:13000", "admin:hush", server)
        component(server, pulumi.ResourceOptions(provider=provider))

    return program


def sources(server: GrafanaServer, opts: pulumi.ResourceOptions) -> object:
    urls = {f"{uid}_url": f"http://{uid}.home.svc" for uid in DATA_SOURCES}
    return DataSources("sources", {**urls, "scrape_interval": "15s", "server": server}, opts)  # type: ignore[typeddict-item]


def test_data_sources_link_in_both_directions(engine: Engine, preview: bool) -> None:
    recorded = engine(in_grafana(sources), preview=preview)
    found = {one.inputs["uid"]: json.loads(one.inputs["jsonDataEncoded"]) for one in recorded.of("DataSource")}
    assert set(found) == set(DATA_SOURCES)
    assert found["prometheus"]["exemplarTraceIdDestinations"][0]["datasourceUid"] == "jaeger"
    assert {link["datasourceUid"] for link in found["loki"]["derivedFields"]} == {"jaeger"}
    assert found["jaeger"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    # An attribute of every span, whatever its program calls itself, and a label of every stream.
    (tag,) = found["jaeger"]["tracesToLogsV2"]["tags"]
    assert tag["key"] in agent_config.SENDER
    assert tag["value"] in INDEX_LABELS
    assert found["jaeger"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
    assert found["alertmanager"] == {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}
    for one in recorded.of("DataSource"):
        assert "grafana-api" in one.provider, "a default provider must not be used"
        assert one.dependencies >= {"workload"}
    assert [one.inputs["uid"] for one in recorded.of("DataSource") if one.inputs["isDefault"]] == ["prometheus"]


def test_dashboards_are_in_the_folder_of_their_system(engine: Engine, preview: bool) -> None:
    text = json.dumps(GOOD)
    files = [
        DashboardFile(
            uid="one", title="One", system="api", folder="API", file="dashboards/rendered/one.json", text=text
        )
    ]
    recorded = engine(
        in_grafana(
            lambda server, opts: Dashboards(
                "dashboards",
                {"dashboards": files, "runbook_base_url": "https://runbooks.test", "server": server},
                opts,
            )
        ),
        preview=preview,
    )
    (folder,), (dashboard,) = recorded.of("Folder"), recorded.of("Dashboard")
    assert (folder.inputs["uid"], folder.inputs["title"]) == ("api", "API")
    assert dashboard.inputs["overwrite"] is True
    assert json.loads(dashboard.inputs["configJson"]) == GOOD
    assert dashboard.dependencies >= {"workload"}


ROUTES = routing.load()
VALUES = {
    "url": "https://hooks.example.com/hush",
    "token": "hush-key",
    "address": "a@example.com, b@example.com",
    "mention": "here",
}


def points(*, mute_windows: bool = True) -> Callable[[], None]:
    secrets = {key: VALUES[form] for key, form in ROUTES.forms().items()}
    timing = Timing(group_wait="0s", group_interval="90s", repeat_interval="4h")

    def program(server: GrafanaServer, opts: pulumi.ResourceOptions) -> object:
        args = {"routing": ROUTES, "timing": timing, "secrets": secrets, "server": server}
        more = {"pagerduty_url": "https://pager.example.com/enqueue", "mute_windows": mute_windows}
        return ContactPoints("points", args | more, opts)  # type: ignore[arg-type]

    return in_grafana(program)


def test_every_channel_is_a_contact_point(engine: Engine, preview: bool) -> None:
    found = {one.inputs["name"]: one for one in engine(points(), preview=preview).of("ContactPoint")}
    assert set(found) == set(ROUTES.channels)
    for one in found.values():
        assert one.secret_inputs or "hush" not in json.dumps(one.inputs, default=lambda _: "[secret]"), one.name
    (email,) = found["media-email"].inputs["emails"]
    assert email["addresses"] == ["a@example.com", "b@example.com"]
    (pagerduty,) = found["oncall-pagerduty"].inputs["pagerduties"]
    assert pagerduty["url"] == "https://pager.example.com/enqueue"
    assert pagerduty["details"]["receiver"] == "oncall-pagerduty"
    (switch,) = found["dead-mans-switch"].inputs["webhooks"]
    assert switch["disableResolveMessage"] is True
    (slack,) = found["media-slack"].inputs["slacks"]
    assert slack["recipient"] == "#media-alerts"


@pytest.mark.parametrize("mute_windows", [True, False])
def test_the_notification_policy_equals_alertmanagers_routes(engine: Engine, preview: bool, mute_windows: bool) -> None:
    recorded = engine(points(mute_windows=mute_windows), preview=preview)
    timing = Timing(group_wait="0s", group_interval="90s", repeat_interval="4h")
    mail = routing.Mail(smarthost="smtp:25", sender="a@b.c")
    secrets = dict.fromkeys(ROUTES.secrets(), "x")
    text = routing.render(ROUTES, timing, secrets, mail=mail, mute_windows=mute_windows)
    alertmanager = yaml.safe_load(text)
    (policy,) = recorded.of("NotificationPolicy")
    assert policy.inputs["contactPoint"] == alertmanager["route"]["receiver"]
    assert (policy.inputs["groupWait"], policy.inputs["groupInterval"]) == ("0s", "1m30s")
    assert policy.inputs["groupBies"] == ["grafana_folder", *alertmanager["route"]["group_by"]]
    assert [_route(one) for one in policy.inputs["policies"]] == _inherited(alertmanager["route"])
    timings = {one.inputs["name"]: one.inputs["intervals"] for one in recorded.of("MuteTiming")}
    assert {name: [_interval(one) for one in intervals] for name, intervals in timings.items()} == {
        one["name"]: one["time_intervals"] for one in alertmanager.get("time_intervals", [])
    }
    assert bool(timings) is mute_windows


def _route(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy of Grafana in the form of a route of Alertmanager."""
    names = {"contactPoint": "receiver", "groupWait": "group_wait", "groupInterval": "group_interval"}
    names |= {"repeatInterval": "repeat_interval", "continue": "continue", "muteTimings": "mute_time_intervals"}
    route = {theirs: policy[ours] for ours, theirs in names.items() if ours in policy}
    # Grafana writes 24h as 1d.
    route |= {key: {"1d": "24h"}.get(value, value) for key, value in route.items() if key == "repeat_interval"}
    if "groupBies" in policy:
        folder, *route["group_by"] = policy["groupBies"]
        assert folder == "grafana_folder"
    route["matchers"] = [f'{one["label"]}{one["match"]}"{one["value"]}"' for one in policy["matchers"]]
    return route | ({"routes": [_route(one) for one in policy["policies"]]} if "policies" in policy else {})


def _inherited(route: dict[str, Any]) -> list[dict[str, Any]]:
    """The routes below a route of Alertmanager, with their inherited receivers, which Grafana requires."""
    below = [{"receiver": route["receiver"], **one} for one in route["routes"]]
    return [one | ({"routes": _inherited(one)} if "routes" in one else {}) for one in below]


def _interval(timing: dict[str, Any]) -> dict[str, Any]:
    names = {"weekdays": "weekdays", "daysOfMonths": "days_of_month", "months": "months", "years": "years"}
    found = {theirs: timing[ours] for ours, theirs in (names | {"location": "location"}).items() if ours in timing}
    times = [{"start_time": one["start"], "end_time": one["end"]} for one in timing.get("times", [])]
    return found | ({"times": times} if times else {})


def load(folder: Path, **files: object) -> tuple[DashboardFile, ...]:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return dashboard_files.load(DATA_SOURCES, folder)


def test_a_valid_dashboard_is_loaded_unchanged(tmp_path: Path) -> None:
    (found,) = load(tmp_path, one=GOOD)
    assert (found.uid, found.title, found.system) == ("one", "One", "api")
    assert json.loads(found.text) == GOOD


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"uid": None}, "uid: missing; allowed: 1 to 40 letters"),
        ({"uid": "a b"}, 'uid: "a b" is not allowed'),
        ({"title": ""}, "title: missing"),
        ({"tags": ["observability"]}, "must name exactly one system; allowed: api, job-queue, kubernetes, media-cl"),
        (
            {"panels": [{"datasource": {"uid": "prom"}}]},
            "panels[0].datasource.uid: no data source 'prom'; allowed: prom",
        ),
        ({"panels": [{"datasource": "${other}"}]}, "panels[0].datasource: no variable ${other}"),
        ({"templating": {"list": [{**VARIABLE, "current": {"value": "x"}}]}}, "templating.datasource.current: no data"),
        ({"__inputs": []}, "__inputs: an export for sharing"),
    ],
)
def test_a_wrong_dashboard_is_refused_with_its_file(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(DashboardsError) as caught:
        load(tmp_path, one={**GOOD, **change})
    assert [text for text in caught.value.problems if text.startswith(f"dashboards/rendered/one.json: {problem}")] or (
        problem in str(caught.value)
    )


def test_a_duplicate_uid_and_a_broken_file_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(DashboardsError) as caught:
        load(tmp_path, one=GOOD, two=GOOD, three="{")
    assert [one for one in caught.value.problems if one.startswith("dashboards/rendered/three.json: not valid JSON")]
    taken = "uid: 'one' is taken by dashboards/rendered/one.json; every dashboard needs its own"
    assert f"dashboards/rendered/two.json: {taken}" in caught.value.problems


def test_the_committed_dashboards_are_valid() -> None:
    dashboard_files.load(DATA_SOURCES)
