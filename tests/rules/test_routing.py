"""Who is told of what, asked of Alertmanager's own amtool; the cases stand in routes.yaml and routes/."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting import loader, routing
from alerting.durations import seconds
from alerting.model import Rule
from alerting.routing import Mail, Timing, alert_checks, notified
from alerting.routing.model import Incident, values
from alerting.routing.tree import tree
from local.toolchain import tool
from tests.mock_engine import SECRETS
from tools.rule_tests import route_cases

TIMING = Timing(group_wait="30s", group_interval="5m", repeat_interval="4h")
MAIL = Mail(smarthost="smtp.example.com:587", sender="alerts@example.com")
ADDRESSES = {
    "speccursorOnCallEmail": "oncall@speccursor.test",
    "mediaOnCallEmail": "oncall@media.test",
    "mediaClusteringOnCallMention": "here",
}
CASES = route_cases.load()


@functools.cache
def rules() -> dict[str, Rule]:
    return loader.load().rules()


@functools.cache
def routes() -> routing.Routing:
    return routing.load()


def rendered(**changes: Any) -> dict[str, Any]:
    return yaml.safe_load(routing.render(routes(), TIMING, SECRETS | ADDRESSES, **({"mail": MAIL} | changes)))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / routing.TEMPLATES).write_text(routing.message_templates())
    file = folder / "alertmanager.yml"
    file.write_text(routing.render(routes(), TIMING, SECRETS | ADDRESSES, mail=MAIL))
    return file


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("amtool"), *arguments], capture_output=True, text=True, check=False)


def labels(case: dict[str, Any]) -> dict[str, str]:
    if "labels" in case:
        return case["labels"]
    return rules()[case["alert"]].labels.model_dump() | {"alertname": case["alert"]}


def test_alertmanager_accepts_the_configuration(config: Path) -> None:
    result = amtool("check-config", config)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 templates" in result.stdout


def test_every_alert_has_one_case() -> None:
    assert sorted(case["alert"] for case in CASES if "alert" in case) == sorted(rules())


def test_every_channel_and_every_part_of_a_route_has_a_case() -> None:
    told = {name for case in CASES for name in case["receivers"]}
    assert told == set(routes().channels)
    parts = [(route, part) for route in routes().routes for part in route.also]
    for route, part in parts:
        for wanted in (route.match, part.match):
            assert any(set(part.channels) <= set(case["receivers"]) for case in CASES), wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("alert") or json.dumps(case["labels"]))
def test_alertmanager_sends_the_alert_where_it_belongs(config: Path, case: dict[str, Any]) -> None:
    arguments = [f"{key}={value}" for key, value in labels(case).items()]
    result = amtool("config", "routes", "test", f"--config.file={config}", *arguments)
    found = result.stdout.strip().split(",")
    assert sorted(found) == sorted(case["receivers"]), result.stderr
    assert notified.channels(routes(), labels(case)) == tuple(found)


@pytest.mark.parametrize("mute_windows", [True, False])
def test_severities_are_told_at_their_own_pace(mute_windows: bool) -> None:
    route = rendered(mute_windows=mute_windows)["route"]
    levels = [
        {"matchers": ['severity="info"'], "continue": False, "repeat_interval": "24h"},
        {"matchers": ['severity="critical"'], "continue": False, "repeat_interval": "1h"},
    ]
    muted = {
        "matchers": ['severity="info"', 'page!="true"', 'alertname!="Watchdog"'],
        "continue": False,
        "repeat_interval": "24h",
        "mute_time_intervals": ["nights", "weekends"],
    }
    expected = [muted, *levels] if mute_windows else levels

    def below(one: dict[str, Any]) -> list[dict[str, Any]]:
        """The levels of a route; those of an alert with incidents of its own are the same."""
        for apart in (inner for inner in one["routes"] if "group_by" in inner):
            assert apart["routes"] == expected
        return [inner for inner in one["routes"] if "group_by" not in inner and "receiver" not in inner]

    for one in route["routes"]:
        if one.get("receiver") == "dead-mans-switch":
            assert "routes" not in one
        elif "receiver" in one:
            assert below(one) == expected, one["receiver"]
    assert below(route) == expected, "of the default"


def test_whatever_a_page_is_it_has_no_mute_window() -> None:
    def paths(branches: Any, above: tuple[str, ...] = ()) -> Any:
        for branch in branches:
            conditions = (*above, *(str(matcher) for matcher in branch.matchers))
            yield branch, conditions
            yield from paths(branch.branches, conditions)

    muted = [(branch, found) for branch, found in paths(tree(routes(), mute_windows=True)) if branch.mute]
    assert muted
    for _, conditions in muted:
        assert {'page!="true"', 'alertname!="Watchdog"', 'severity="info"'} <= set(conditions)


def test_nothing_mutes_watchdog_and_only_pages_mute_pages() -> None:
    found = rendered()["inhibit_rules"]
    assert found
    for rule in found:
        assert 'alertname!="Watchdog"' in rule["target_matchers"]
        no_page = {'page!="true"', 'page="false"'} & set(rule["target_matchers"])
        assert no_page or {'page="true"'} <= set(rule["target_matchers"]) & set(rule["source_matchers"])


def test_different_trouble_of_one_system_is_not_muted() -> None:
    """Inhibition goes by `subject`: two alerts share one only if they are the same trouble at two severities."""
    subjects = [(rule.labels.system, rule.labels.subject, rule.labels.severity) for rule in rules().values()]
    assert len(set(subjects)) == len(subjects)


def test_every_inhibition_has_sources_and_targets_among_the_alerts() -> None:
    named = {alert: rule.labels.model_dump() for alert, rule in rules().items()}
    assert alert_checks.inhibition_problems(routes(), named) == []
    few = {alert: own for alert, own in named.items() if own["severity"] != "critical" and alert != "TargetDown"}
    assert alert_checks.inhibition_problems(routes(), few)[:2] == [
        "rules/routing.yaml: inhibitions.worse-severity.source: matches no alert: {severity: critical}",
        "rules/routing.yaml: inhibitions.target-down.source: matches no alert: "
        "{alertname: TargetDown, scope: app, job: pods}",
    ]


def test_every_cause_and_symptom_is_an_alert() -> None:
    """A match takes a list of names, of which inhibition_problems wants only one to exist."""
    for name, inhibition in routes().inhibitions.items():
        for match in (inhibition.source, inhibition.target):
            assert set(values(match.get("alertname", []))) <= set(rules()), name


def test_incidents_are_of_alerts_of_their_system() -> None:
    named = {alert: rule.labels.model_dump() for alert, rule in rules().items()}
    assert list(alert_checks.name_problems(routes(), named)) == []
    wrong = {"DatabasePoolExhausted": Incident("platform", ("pod",)), "NodeDiskHigh": Incident("platform", ("app",))}
    wrongly = list(alert_checks.name_problems(routes().model_copy(update={"incidents": wrong}), named))
    assert wrongly[0].startswith(
        "rules/systems/platform.yaml: incidents.DatabasePoolExhausted: no such alert of this system; "
    )
    assert wrongly[1:] == [
        "rules/systems/platform.yaml: incidents.NodeDiskHigh: app is in group_by of rules/routing.yaml already"
    ]
    del named["MediaClusterLatencyHigh"]
    (found,) = alert_checks.name_problems(routes(), named)
    assert found.startswith("rules/routing.yaml: channels.media-clustering-slack: no alert 'MediaClusterLatencyHigh'; ")


def test_every_look_at_watchdog_sends_the_heartbeat() -> None:
    """Alertmanager repeats what is older than repeat_interval when it looks, and it looks every group_interval."""
    (watchdog,) = [one for one in routes().routes if one.match == {"alertname": "Watchdog"}]
    assert watchdog.group_interval == "1m"
    assert seconds(str(watchdog.repeat_interval)) <= 60 - 10  # sending may take a while


def test_a_route_with_one_interval_must_fit_the_stacks_other() -> None:
    stack = Timing(group_wait="0s", group_interval="50s", repeat_interval="1h30m")
    half = routes().model_copy(update={"routes": [routes().routes[0].model_copy(update={"group_interval": None})]})
    (problem,) = half.timing_problems(stack)
    assert problem.startswith(
        "rules/routing.yaml: routes[0]: repeat_interval 50s equals group_interval 50s (one of them"
    )
    assert half.timing_problems(TIMING) == half.timing_problems() == []


def test_a_severity_must_fit_the_stacks_interval() -> None:
    stack = Timing(group_wait="0s", group_interval="60m", repeat_interval="4h")
    (problem,) = routes().timing_problems(stack)
    assert problem.startswith(
        "rules/routing.yaml: escalation.critical: repeat_interval 1h equals group_interval 60m (one"
    )
    assert routes().timing_problems(TIMING) == []


def test_what_is_needed_follows_from_the_channels() -> None:
    # Systems may bring channels of their own.
    brought = {name for system in loader.load().systems.values() for name in system.channels}
    assert {key: [one for one in names if one not in brought] for key, names in routes().secrets().items()} == {
        "jobQueueSlackUrl": ["job-queue-slack"],
        "jobQueuePagerdutyKey": ["job-queue-pagerduty"],
        "notificationWebhookUrl": ["job-queue-webhook"],
        "speccursorSlackUrl": ["speccursor-slack"],
        "speccursorOnCallEmail": ["speccursor-email"],
        "speccursorPagerdutyKey": ["speccursor-pagerduty"],
        "speccursorWebhookUrl": ["speccursor-webhook"],
        "mediaSlackUrl": ["media-slack"],
        "mediaOnCallEmail": ["media-email"],
        "mediaPagerdutyKey": ["media-pagerduty"],
        "mediaClusteringSlackUrl": ["media-clustering-slack"],
        "mediaClusteringOnCallMention": ["media-clustering-slack"],
        "mediaClusteringPagerdutyKey": ["media-clustering-pagerduty"],
        "platformSlackUrl": ["platform-slack"],
        "oncallPagerdutyKey": ["oncall-pagerduty"],
        "deadMansSwitchUrl": ["dead-mans-switch"],
    }
    assert set(routes().forms()) == set(routes().secrets())
    assert routes().forms()["oncallPagerdutyKey"] == "token"
    assert routes().forms()["mediaOnCallEmail"] == "address"


def test_mail_needs_a_server_and_its_login_is_said_only_with_one() -> None:
    with pytest.raises(ValueError, match="an e-mail channel needs the stack's SMTP server"):
        rendered(mail=None)
    assert not [key for key in rendered()["global"] if "auth" in key]
    mail = Mail(smarthost="smtp:25", sender="a@b.c", username="me", password="hush", require_tls=False)
    assert rendered(mail=mail)["global"] == {
        "pagerduty_url": "https://events.pagerduty.com/v2/enqueue",
        "smtp_smarthost": "smtp:25",
        "smtp_from": "a@b.c",
        "smtp_require_tls": False,
        "smtp_auth_username": "me",
        "smtp_auth_password": "hush",
    }
    assert "hush" not in repr(mail)
