# ruff: noqa: E501  (a case of a table stays on its line)
"""What routing.yaml and the systems' own channels and routes may not say; each with the one line that a person gets.

On the fixed routes of fixtures/.
"""

import shutil
from datetime import date
from pathlib import Path

import pytest

from alerting import routing
from alerting.problems import RulesError
from alerting.routing import notified
from tests.rules import fixed_rules

TODAY = date(2026, 3, 2)
NIGHTS = 'times: [{from: "00:00", to: "07:00"}, {from: "20:00", to: "24:00"}]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("routing.yaml", routing.TEMPLATES):
        shutil.copy(fixed_rules.RULES / name, tmp_path)
    (tmp_path / "systems").mkdir()
    return tmp_path


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(RulesError) as error:
        routing.load(folder, today=TODAY)
    return error.value.problems


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[orders-slack, orders-webhook]", "[orders-slak]", "routes[1].channels: no channel 'orders-slak'; did you mean orders-slack?"),
        ("channels: [search-email]", "channels: [search-mail]", "routes[2].also[0].channels: no channel 'search-mail'; did you mean search-email?"),
        ("default: platform-slack", "default: nobody", "default: no channel 'nobody'; known: dead-mans-switch, oncall-pagerduty, orders-slack, "),
        (", orders-webhook]", "]", "channels.orders-webhook: no route leads to it"),
        ("channels: [variants-pagerduty]", "channels: [variants-slack]", "routes[4].also[0].channels: variants-slack appears twice in this route, so it would be notified twice"),
        (", url_secret: slackWebhookUrl", "", "channels.orders-slack.slack.url_secret: required, but missing"),
        ("pagerduty: {routing_key: pagerdutyRoutingKey}", "pagerduty: {}", "channels.search-pagerduty.pagerduty.routing_key: required, but missing"),
        ("email: {to: searchOnCallEmail}", "email: {to: oncall@example.com}", "channels.search-email.email.to: "),
        ("webhook: {url_secret: notif", "pager: {url_secret: notif", "channels.orders-webhook.pager: unknown field"),
        ("slack: {channel: \"#orders-alerts\", url_secret: slackWebhookUrl}", "{}", "channels.orders-slack: needs exactly one of email, pagerduty, slack, teams, webhook"),
        ("email: {to: searchOnCallEmail}", "email: {to: slackWebhookUrl}", "channels.search-email: slackWebhookUrl cannot be the e-mail address, because it is the URL of orders-slack"),
        ('"#orders-alerts"', "job queue", "channels.orders-slack.slack.channel: "),
        ("match: {alertname: Watchdog}", "match: {}", "routes[0].match: "),
        ("match: {alertname: Watchdog}", "match: {alertname: Watch.*}", "routes[0].match.alertname"),
        ("match: {system: [platform, api]}", "match: {system: uploads}", "routes[5]: never reached: rules/routing.yaml: routes[3] takes all of its alerts"),
        ("group_interval: 1m", "group_interval: often", "routes[0].group_interval: must be a Prometheus duration such as 30s, 5m, 1h30m or 15d; got 'often'"),
        ("repeat_interval: 50s", "repeat_interval: 60s", "routes[0]: repeat_interval 60s equals group_interval 1m, so Alertmanager would skip every second repetition; allowed: shorter (repeats every group_interval) or longer"),
        ("channels:", "channels: [", "not valid YAML: "),
        ("repeat_interval: 50s", "repeat_interval: 6d", "routes[0]: repeat_interval 6d is not allowed; allowed: at most 120h, for which Alertmanager remembers a notification"),
        ("critical: {repeat_interval: 1h}", "critical: {repeat_interval: 30d}", "escalation.critical: repeat_interval 30d is not allowed; allowed: at most 120h"),
        ("critical: {repeat_interval: 1h}", "fatal: {repeat_interval: 1h}", "escalation.fatal"),
        ("critical: {repeat_interval: 1h}", "critical: {mute: [nights]}", "escalation.critical.mute: [nights] is not allowed; allowed: none, because critical alerts page"),
        ("mute: [nights, weekends]", "mute: [night, weekends]", "escalation.info.mute: no mute window 'night'; did you mean nights?"),
        ("mute: [nights, weekends]", "mute: [nights]", "mute_windows.weekends: not used by any severity"),
        ("source: {severity: critical}", "source: {page: \"true\"}", "inhibitions.worse-severity: an alert can match both source and target, so two instances of it would mute each other; allowed: source and target with different values of one label, or a source with alertname"),
        ("target: {severity: [warning, info], page: \"false\"}", "target: {alertname: Watchdog}", "inhibitions.target-down.target: Watchdog is not allowed; allowed: any other alert"),
        ("url_secret: searchSlackUrl", "url_secret: slackWebhookUrl", "channels.search-slack: slackWebhookUrl posts into #orders-alerts of orders-slack, whatever the message says, so it cannot post into #search-alerts; allowed: a key of its own"),
        ('slack: {channel: "#search-alerts", url_secret: searchSlackUrl}', "teams: {channel: Search, url_secret: slackWebhookUrl}", "channels.search-slack: slackWebhookUrl posts into #orders-alerts of orders-slack"),
        ("equal: [cluster, namespace, app]", "equal: []", "inhibitions.target-down.equal: "),
        ("equal: [cluster, namespace, app]", "equal: [cluster, namespace, app]\n    present: [pod]", "inhibitions.target-down: present: pod is not allowed; allowed: labels in `equal`"),
        ("equal: [cluster, namespace, app]", "equal: [cluster, namespace, app]\n    except: {subject: []}", "inhibitions.target-down.except.subject: "),
        ("worse-severity:", "target-down:", "not valid YAML: "),
    ],
)  # fmt: skip
def test_refuses(folder: Path, old: str, new: str, problem: str) -> None:
    file = folder / "routing.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    found = problems(folder)
    assert any(line.startswith(f"rules/routing.yaml: {problem}") for line in found), found


def with_nights(text: str, window: str) -> str:
    assert f"nights:\n    {NIGHTS}" in text
    return text.replace(f"nights:\n    {NIGHTS}", f"nights: {{{window}}}", 1)


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ("months: [february], days_of_month: [31]", "mute_windows.nights: never matches: no such day in the future"),
        ("years: [2025]", "mute_windows.nights: never matches: no such day in the future"),
        ("months: [january], years: [2026]", "mute_windows.nights: never matches: no such day in the future"),
        ('times: [{from: "20:00", to: "07:00"}]', "mute_windows.nights.times[0]: 20:00 to 07:00 never matches; allowed: `from` before `to`; a night needs two ranges, one before and one after midnight"),
        ('times: [{from: "07:00", to: "07:00"}]', "mute_windows.nights.times[0]: 07:00 to 07:00 never matches; "),
        ('times: [{from: "7:00", to: "24:00"}]', "mute_windows.nights.times[0].from: must be HH:MM from 00:00 to 24:00; got '7:00'"),
        ("weekdays: [funday]", "mute_windows.nights.weekdays: 'funday' is not allowed; allowed: a day such as monday, or monday:friday"),
        ('weekdays: ["friday:monday"]', "mute_windows.nights.weekdays: 'friday:monday' never matches; allowed: the first before the last"),
        ("days_of_month: [32]", "mute_windows.nights.days_of_month: 32 is not allowed; allowed: a day from 1 to 31, -1 for the last one, or a range 1:7"),
        ('days_of_month: ["-1:3"]', "mute_windows.nights.days_of_month: '-1:3' never matches; "),
        ("months: [13]", "mute_windows.nights.months: 13 is not allowed; allowed: a month such as december or 12, or a range"),
        ("years: [next]", "mute_windows.nights.years: 'next' is not allowed; "),
        ("location: Middle/Earth", "mute_windows.nights.location: must be a time zone's IANA name such as Europe/Berlin; got 'Middle/Earth'"),
        ('weekdays: ["sunday:saturday"]', "mute_windows.nights: always matches; allowed: a window that ends, or no route to the channel"),
        ('times: [{from: "00:00", to: "12:00"}, {from: "11:00", to: "24:00"}]', "mute_windows.nights: always matches; "),
        ('weekdays: ["monday:friday"]', "escalation.info.mute: [nights, weekends] together always match, so info alerts would never be notified"),
        # From Sunday evening to Saturday evening in UTC, in winter and in summer; `weekends` has the rest.
        ('weekdays: ["monday:friday", "saturday"], location: Europe/Berlin, times: [{from: "00:00", to: "24:00"}]', "escalation.info.mute: [nights, weekends] together always match"),
    ],
)  # fmt: skip
def test_refuses_a_mute_window(folder: Path, window: str, problem: str) -> None:
    file = folder / "routing.yaml"
    file.write_text(with_nights(file.read_text(), window))
    found = problems(folder)
    assert [line.startswith(f"rules/routing.yaml: {problem}") for line in found] == [True], found


@pytest.mark.parametrize(
    "window",
    [
        NIGHTS,
        "months: [february], days_of_month: [29]",
        "months: [december], days_of_month: [\"24:31\"], years: [\"2025:2030\"]",
        "days_of_month: [\"-3:-1\"]",
        "months: [\"march:may\", 12], location: Europe/Berlin",
        "years: [2026]",
    ],
)  # fmt: skip
def test_takes_a_window_that_comes_and_goes(folder: Path, window: str) -> None:
    file = folder / "routing.yaml"
    file.write_text(with_nights(file.read_text(), window))
    assert "nights" in routing.load(folder, today=TODAY).mute_windows


OWN = """
channels:
  till-slack: {slack: {channel: "#till", url_secret: tillSlackUrl}}
routes:
  - {match: {system: till}, channels: [till-slack], also: [{match: {page: "true"}, channels: [oncall-pagerduty]}]}
"""


def test_a_service_team_brings_its_own_channels_and_routes(folder: Path) -> None:
    (folder / "systems/till.yaml").write_text("title: Till\n" + OWN)
    found = routing.load(folder, today=TODAY)
    assert notified.channels(found, {"system": "till", "page": "true"}) == ("oncall-pagerduty", "till-slack")
    assert notified.channels(found, {"system": "other"}) == (found.default,)
    assert found.secrets()["tillSlackUrl"] == ["till-slack"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("match: {system: till}", "match: {system: orders}", "routes[0].match.system: orders is not allowed; allowed: till, because a service team routes its own system only"),
        ("match: {system: till}", "match: {severity: info}", "routes[0].match.system: nothing is not allowed; allowed: till, "),
        ("match: {system: till}", "match: {system: [till, api]}", "routes[0].match.system: [till, api] is not allowed; allowed: till, "),
        ("till-slack: {slack", "orders-slack: {slack", "channels.orders-slack: defined twice (first in rules/routing.yaml)"),
        ("channels: [till-slack]", "channels: [till-slak]", "routes[0].channels: no channel 'till-slak'; did you mean till-slack?"),
        ("channels: [till-slack]", "channels: [orders-slack]", "channels.till-slack: no route leads to it"),
        ("tillSlackUrl", "pagerdutyRoutingKey", "channels.till-slack: pagerdutyRoutingKey cannot be the URL, because it is the routing key of search-pagerduty"),
        ("url_secret: tillSlackUrl", "url: x", "channels.till-slack.slack.url_secret: required, but missing"),
    ],
)  # fmt: skip
def test_refuses_of_a_service_team(folder: Path, old: str, new: str, problem: str) -> None:
    assert old in OWN
    (folder / "systems/till.yaml").write_text(OWN.replace(old, new, 1))
    found = problems(folder)
    assert any(line.startswith(f"rules/systems/till.yaml: {problem}") for line in found), found


def test_refuses_a_template_that_uses_an_undefined_one(folder: Path) -> None:
    """amtool would notice it only where a message takes this branch."""
    file = folder / routing.TEMPLATES
    text = file.read_text().replace('{{ template "title" . }}', '{{ template "titel" . }}', 1)
    file.write_text(text)
    assert problems(folder) == ("rules/notifications.tmpl: no template 'titel'; did you mean title?",)


def test_refuses_to_do_without_templates(folder: Path) -> None:
    (folder / routing.TEMPLATES).unlink()
    assert problems(folder) == ("rules/notifications.tmpl: missing",)


@pytest.mark.parametrize("repeat", ["50s", "2m"])
def test_a_route_may_repeat_at_another_pace_than_it_looks(folder: Path, repeat: str) -> None:
    file = folder / "routing.yaml"
    file.write_text(file.read_text().replace("repeat_interval: 50s", f"repeat_interval: {repeat}"))
    assert routing.load(folder, today=TODAY).routes[0].repeat_interval == repeat
