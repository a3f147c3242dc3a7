"""Conflicts within a stack: between dashboards and alerts, SLOs and retention, and unknown disruption budgets."""

import json
from typing import Any

import pytest

from dashboards import files as dashboard_files
from dashboards.files import DashboardFile
from settings import stack
from settings.apps import DATA_SOURCES
from tests.mock_engine import stack_config


def parse(**changes: str) -> stack.Settings:
    return stack.parse(stack_config("local") | changes, [])


def dashboard(uid: str, *tags: str, text: str = "") -> DashboardFile:
    document: dict[str, Any] = {"uid": uid, "text": text}
    where = f"dashboards/rendered/{uid}.json"
    return DashboardFile(
        uid=uid, title=uid, system="api", folder="API", file=where, text=json.dumps(document), tags=tags
    )


@pytest.mark.parametrize(
    ("linked", "others"),
    [
        ({}, []),
        ({"AnAlert": "/d/lost-and-found"}, []),
        ({}, [dashboard("other", "observability", text="/d/lost-and-found?orgId=1")]),
        ({}, [dashboard("other", "observability", text="/d/get-lost")]),
    ],
)
def test_a_dashboard_that_nobody_can_reach(linked: dict[str, str], others: list[DashboardFile]) -> None:
    """Links to longer uids are links to other dashboards, and a dashboard's link to itself does not count."""
    lost = dashboard("lost", "api", text="/d/lost")
    assert list(dashboard_files.unreachable([lost, *others], linked)) == [
        "dashboards/rendered/lost.json: tags: [\"api\"]: nobody can reach lost; allowed: the tag 'observability', or a "
        "link to /d/lost in an alert or another dashboard"
    ]


@pytest.mark.parametrize(
    ("tags", "linked", "text"),
    [
        (["observability"], {}, ""),
        ([], {"AnAlert": "/d/lost"}, ""),
        ([], {}, "/d/lost"),
        ([], {}, "/d/lost?var-x=1"),
    ],
)
def test_a_dashboard_with_a_tag_or_a_link_can_be_reached(tags: list[str], linked: dict[str, str], text: str) -> None:
    files = [dashboard("lost", "api", *tags), dashboard("other", "observability", text=text)]
    assert list(dashboard_files.unreachable(files, linked)) == []


def test_an_alert_with_an_unknown_dashboard_is_a_problem() -> None:
    files = [dashboard("till-overview", "observability")]
    assert list(dashboard_files.missing(files, {"TillEmpty": "/d/till-overvew", "TillFull": "/d/till-overview"})) == [
        "alert TillEmpty: dashboard_url: /d/till-overvew is not in dashboards/rendered; did you mean /d/till-overview?"
    ]


def test_the_links_of_this_stack_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    good = dashboard_files.load(DATA_SOURCES)
    without = [one for one in good if one.uid != "platform-slos"]
    files = (*without, dashboard("lost", "api"))

    def load(*_: object, **__: object) -> tuple[DashboardFile, ...]:
        return files

    monkeypatch.setattr(dashboard_files, "load", load)
    with pytest.raises(stack.SettingsError) as error:
        parse()
    found = error.value.problems
    assert any(
        line.startswith("alert MediaUploadAvailabilityBudgetBurnFast: dashboard_url: /d/platform-slos")
        for line in found
    )
    assert any(line.startswith("dashboards/rendered/lost.json: tags: ") for line in found)


def test_a_retention_shorter_than_the_window_of_an_slo_is_a_problem() -> None:
    with pytest.raises(stack.SettingsError) as error:
        parse(prometheusRetention="29d")
    start = "observability:prometheusRetention: 29d is shorter than the window 30d of the SLO "
    assert all(problem.startswith(start) for problem in error.value.problems)
    names = ("kubernetes-api-availability", "media-upload-availability", "media-gateway-latency")
    assert [sum(name in problem for problem in error.value.problems) for name in names] == [1, 1, 1]


def test_a_short_retention_is_allowed_with_remote_write() -> None:
    assert parse(prometheusRetention="8d", remoteWriteUrl="https://metrics.example.com/api/v1/push").values


def test_a_stack_may_change_and_disable_budgets() -> None:
    changed = parse(disruptionBudgets='{"jq-worker": {"minAvailable": 2}, "rust-worker": {"enabled": false}}')
    assert changed.disruption_budgets["jq-worker"].min_available == 2
    assert "rust-worker" in parse().disruption_budgets
    assert "rust-worker" not in changed.disruption_budgets


def test_an_unknown_budget_is_refused() -> None:
    with pytest.raises(stack.SettingsError) as error:
        parse(disruptionBudgets='{"jq-workr": {"minAvailable": 2}}')
    assert error.value.problems == (
        "observability:disruptionBudgets.jq-workr: no such budget; did you mean jq-worker?",
    )


def test_budgets_must_be_an_object() -> None:
    with pytest.raises(stack.SettingsError) as error:
        parse(disruptionBudgets="3")
    assert error.value.problems == (
        "observability:disruptionBudgets: 3 is not allowed; allowed: an object: name of a budget -> minAvailable, "
        "maxUnavailable, or enabled: false",
    )


@pytest.mark.parametrize(("seconds", "problems"), [(29.9, 0), (30, 1), (45, 1)])
def test_a_latency_that_the_buckets_of_the_package_cannot_show_is_refused(seconds: float, problems: int) -> None:
    raw = {"ApiLatencyHigh": {"thresholds": {"seconds": seconds}}}
    expected = [
        f"alert ApiLatencyHigh: {seconds:g}: no quantile of request_duration_seconds exceeds 30, where its last finite "
        "bucket ends; allowed: below 30, or `enabled: false`"
    ] * problems
    found: tuple[str, ...] = ()
    try:
        parse(alertOverrides=json.dumps(raw))
    except stack.SettingsError as error:
        found = error.problems
    assert list(found) == expected


def test_an_alert_that_is_off_may_ask_for_anything() -> None:
    raw = {"ApiLatencyHigh": {"enabled": False, "thresholds": {"seconds": 45}}}
    assert not parse(alertOverrides=json.dumps(raw)).overrides["ApiLatencyHigh"].enabled
