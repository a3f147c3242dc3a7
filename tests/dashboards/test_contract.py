"""What the contract asks of the dashboards, and that all of them, their runbooks and their links can be reached."""

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from alerting import contract, loader
from dashboards import DASHBOARDS, registry
from dashboards.builder.variables import RUNBOOKS
from dashboards.files import FOLDER
from tests.dashboards.committed import Json, committed, panels, queries

CONTRACT = {uid: title for one in contract.load().values() for uid, title in one.dashboards.items()}
SYSTEM = {
    "media-cluster-observability": "media-clustering",
    "job-queue-overview": "job-queue",
    "api-observability": "api",
}
FILES = {"media-cluster-observability": "media-clustering-redis-streams"}
RULE_SET = loader.load()
ALERTS = RULE_SET.rules()
BY_UID = {one["uid"]: one for one in (committed(stem) for stem in DASHBOARDS)}
_KEPT = (
    r"(\$\{__url_time_range\}|from=\$\{__from\}&to=\$\{__to\}(&\$\{\w+:queryparam\})*)"
    r"(&var-\w+=\$\{__value\.raw:percentencode\})?"
)
# A link to a dashboard keeps the time range, and where it can the namespace.
ADDRESSES = (rf"/d/[\w-]+\?{_KEPT}", r"/explore\?left=.+", rf"\$\{{{RUNBOOKS}\}}/\w+\.md")


def addresses(dashboard: Json) -> list[str]:
    """Where the links of a dashboard's texts, panels and values lead."""
    found = [
        address
        for panel in panels(dashboard)
        for address in re.findall(r"\]\(([^)]*)\)", panel.get("options", {}).get("content", ""))
    ]
    for panel in panels(dashboard):
        config = panel.get("fieldConfig", {})
        links = [*panel.get("links", []), *config.get("defaults", {}).get("links", [])]
        properties = [part for one in config.get("overrides", []) for part in one["properties"]]
        links += [link for part in properties if part["id"] == "links" for link in part["value"]]
        found += [link.get("url", "") for link in links]
    return found + [link["url"] for link in dashboard["links"] if link["type"] == "link"]


def named(text: str) -> set[str]:
    """Uids in addresses of dashboards."""
    return set(re.findall(r"/d/([\w-]+)", text))


def leads_to(uid: str) -> set[str]:
    """Alerts whose dashboard it is."""
    return {alert for alert, rule in ALERTS.items() if uid in named(rule.annotations.dashboard_url)}


@pytest.fixture(params=sorted(BY_UID))
def dashboard(request: pytest.FixtureRequest) -> Json:
    return BY_UID[request.param]


def test_titles_uids_and_files_are_those_of_the_contract() -> None:
    titles = {uid: one["title"] for uid, one in BY_UID.items()}
    assert {uid: titles.get(uid) for uid in CONTRACT} == CONTRACT
    assert len(set(titles.values())) == len(titles)
    assert {one["uid"]: stem for stem in DASHBOARDS if (one := committed(stem))["uid"] != stem} == FILES


@pytest.mark.parametrize("uid", sorted(CONTRACT))
def test_each_is_tagged_with_its_system(uid: str) -> None:
    prefix = uid.split("-", maxsplit=1)[0]
    system = SYSTEM.get(uid, {"media": "media-upload"}.get(prefix, prefix))
    assert BY_UID[uid]["tags"] == ["observability", system]
    assert system in RULE_SET.systems


def module(name: str, **content: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


def test_two_modules_cannot_draw_one_file() -> None:
    both = [module(name, build=lambda: {"uid": "same"}) for name in ("one", "two")]
    with pytest.raises(ValueError, match=r"two: draws same\.json, as one does"):
        registry(iter(both))


def test_a_module_without_builder_is_no_dashboard_and_a_file_name_may_differ() -> None:
    found = registry(iter([module("helper"), module("named", FILE="other", build=lambda: {"uid": "own"})]))
    assert list(found) == ["other"]


def test_the_header_links_the_runbook_of_every_alert_that_leads_here(dashboard: Json) -> None:
    header = dashboard["panels"][-1]["options"]["content"]
    linked = set(re.findall(rf"\[(\w+)\]\(\$\{{{RUNBOOKS}\}}/\1\.md\)", header))
    assert leads_to(dashboard["uid"]) <= linked
    assert linked <= {file.stem for file in Path(FOLDER.parent.parent, "rules/runbooks").glob("*.md")}


def test_a_dashboard_shows_the_state_of_the_alerts_that_lead_here(dashboard: Json) -> None:
    matchers = re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', dashboard["panels"][0]["options"]["alertInstanceLabelFilter"])
    for alert in leads_to(dashboard["uid"]) - {"Watchdog"}:
        labels = {"alertname": alert, **ALERTS[alert].labels.model_dump(exclude_none=True)}
        # What a recording of an SLO has, its alerts get from their expression.
        labels |= {"slo": "any"} if re.search(r"slo:\w+:", ALERTS[alert].expr) else {}
        for name, how, value in matchers:
            fits = re.fullmatch(value, labels.get(name, "")) if how == "=~" else labels.get(name, "") == value
            assert bool(fits) == (how != "!="), f"{alert}: {name}{how}{value}"


def test_every_link_has_a_target(dashboard: Json) -> None:
    found = addresses(dashboard)
    assert found
    for address in found:
        assert any(re.fullmatch(form, address) for form in ADDRESSES), address
    assert named(" ".join(found)) <= BY_UID.keys()
    # A cell of a table leads to the same dashboard, with another value.
    assert dashboard["uid"] not in named(" ".join(one for one in found if "&var-" not in one))
    assert named(json.dumps(dashboard)) <= BY_UID.keys()
    runbooks = {one.removesuffix(".md").split("/")[-1] for one in found if one.endswith(".md")}
    assert runbooks <= ALERTS.keys()


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_leads_to_a_dashboard(alert: str) -> None:
    (uid,) = named(ALERTS[alert].annotations.dashboard_url)
    assert uid in BY_UID


def test_every_dashboard_can_be_reached(dashboard: Json) -> None:
    """From an alert, from a text, or from a list that the other dashboards carry."""
    uid = dashboard["uid"]
    others = [one for one in BY_UID.values() if one["uid"] != uid]
    lists = {tag for one in others for link in one["links"] if link["type"] == "dashboards" for tag in link["tags"]}
    assert leads_to(uid) or set(dashboard["tags"]) & lists
    assert uid in {name for one in others for name in named(json.dumps(one))} or set(dashboard["tags"]) & lists


def test_limits_that_name_an_alert_are_its_thresholds(dashboard: Json) -> None:
    """Or one less the threshold, where a panel shows the share that succeeds."""
    for panel in panels(dashboard):
        _, _, reason = panel.get("description", "").partition(" Limits: ")
        alerts = [alert for alert in re.findall(r"[A-Z]\w+", reason) if alert in RULE_SET.thresholds]
        drawn = {
            step["value"]
            for step in panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {"steps": []})["steps"]
        }
        drawn = {round(value, 9) for value in drawn if value is not None}
        for alert in alerts:
            allowed = RULE_SET.thresholds[alert].values()
            assert drawn & {round(value, 9) for one in allowed for value in (one, 1 - one)}, (panel["title"], alert)


def test_dashboards_of_speccursor_name_no_namespace_but_the_chosen_one() -> None:
    for uid, one in BY_UID.items():
        if uid.startswith("speccursor-"):
            for panel, target in queries(one)[1:]:
                assert 'namespace="' not in target["expr"], (uid, panel["title"])
