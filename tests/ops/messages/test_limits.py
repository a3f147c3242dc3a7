"""The message of every alert at its worst is within what its receiver takes; sent by a real Alertmanager."""

import functools
import json
import re
from typing import Any

import pytest

from alerting import loader, routing
from alerting.routing.channels import Channel
from ops.clients.signals import Delivery
from ops.messages import examples, sent
from settings import stack_files

INSTANCES = 50
LONGEST = 253
"""Characters of a label's value: the longest name of a pod. Values from programs have no limit; all are cut alike."""
LINK = 2000
"""Characters of a link. Many programs and load balancers take no longer ones."""
SLACK_TEXT, SLACK_TITLE = 8000, 1024
PAGERDUTY_SUMMARY, PAGERDUTY_EVENT = 1024, 512_000
MAIL_LINE = 998
"""Bytes of a header's line, RFC 5322."""
TEAMS_CARD = 28_000
LINKS = ["Runbook", "Dashboard", "Query", "Silence"]


@functools.cache
def routes() -> routing.Routing:
    """The deployed routes, and a channel of Teams for every alert."""
    found = routing.load()
    teams = Channel.model_validate({"teams": {"channel": "Alerts", "url_secret": "teamsUrl"}})
    rest = [
        route.model_copy(update={"channels": [*route.channels, "teams"]})
        for route in found.routes
        if route.match != {"alertname": "Watchdog"}
    ]
    return found.model_copy(update={"channels": {**found.channels, "teams": teams}, "routes": rest})


def worst(label: str, number: int) -> str:
    """The longest value, full of characters that have a meaning somewhere; the same where it decides the group."""
    apart = {*routes().group_by, *(one for incident in routes().incidents.values() for one in incident.labels)}
    start = f"{label}-" if label in apart else f"{label}-{number}-"
    return (start + '<!channel>&"*_|[x](y)%ü ' * LONGEST)[:LONGEST]


@pytest.fixture(scope="module")
def messages() -> list[Delivery]:
    rules, stack = loader.load(), stack_files.typed(stack_files.read("production").values)
    alerts = examples.examples(
        # A share or a factor, or a number that Go writes as 1.2345678e+06.
        [
            (rule, 0.5 if re.search("humanizePercentage|%.3g", rule.annotations.description) else 1234567.8)
            for rule in rules.rules().values()
        ],
        rules,
        stack,
        count=INSTANCES,
        value=worst,
    )
    assert len(alerts) >= len(rules.rules()) * INSTANCES
    return sent.messages(
        routes(), routing.message_templates(), alerts, external_url=stack.alertmanager_url, resolve=True
    )


def of(messages: list[Delivery], kind: str) -> list[tuple[str, Any]]:
    """(alert and status, payload) of the messages of one kind."""
    found = [(f"{one.alerts[0]['alertname']} {one.status}", one.payload) for one in messages if one.kind == kind]
    assert {name.split()[1] for name, _ in found} == {"firing", "resolved"}
    return found


def check_links(name: str, links: dict[str, str]) -> None:
    """Each link is short; a long query has none, and the order is that in which a responder needs them."""
    shown = [text for text in links if text in LINKS]
    assert shown in (LINKS, [text for text in LINKS if text != "Query"]), name
    assert max(map(len, links.values())) < LINK, name
    assert "%3C%21channel" not in links["Dashboard"] or len(links["Dashboard"]) < LINK


def test_every_alert_has_a_message_on_each_kind_of_channel(messages: list[Delivery]) -> None:
    names = set(loader.load().rules())
    teams = {one.alerts[0]["alertname"] for one in messages if one.channel == "teams"}
    assert teams == names - {"Watchdog"} | teams & {"Watchdog"}
    assert {one.kind for one in messages} == {"slack", "pagerduty", "email", "webhook", "card"}


def test_slack(messages: list[Delivery]) -> None:
    for name, payload in of(messages, "slack"):
        (attachment,) = payload["attachments"]
        assert len(attachment["text"]) <= SLACK_TEXT, (name, len(attachment["text"]))
        assert len(attachment["title"]) <= SLACK_TITLE, name
        assert "<!channel>" not in attachment["text"], f"{name}: a label's value notifies everybody"
        check_links(name, {text: url for url, text in re.findall(r"<(http[^>|]+)\|([^>]+)>", attachment["text"])})


def test_pagerduty(messages: list[Delivery]) -> None:
    for name, payload in of(messages, "pagerduty"):
        assert len(payload["payload"]["summary"]) < PAGERDUTY_SUMMARY, name
        assert len(json.dumps(payload)) < PAGERDUTY_EVENT, name
        if links := payload.get("links"):
            check_links(name, {one["text"]: one["href"] for one in links})


def test_mail(messages: list[Delivery]) -> None:
    for name, payload in of(messages, "email"):
        assert len(f"Subject: {payload['subject']}".encode()) < MAIL_LINE, name
        check_links(name, dict(re.findall(r"^(Runbook|Dashboard|Query|Silence) +(http\S+)", payload["text"], re.M)))
        check_links(name, {text: url for url, text in re.findall(r'<a href="([^"]*)">([^<]*)</a>', payload["html"])})


def test_teams(messages: list[Delivery]) -> None:
    for name, payload in of(messages, "card"):
        assert len(json.dumps(payload)) < TEAMS_CARD, name
        title, text = (block["text"] for block in payload["attachments"][0]["content"]["body"])
        assert title.startswith("["), name
        check_links(name, dict(re.findall(r"(?<!\\)\[([A-Z][\w ]+)\]\((http[^)]+)\)", text)))


def test_numbers_have_no_exponent(messages: list[Delivery]) -> None:
    shown = [json.dumps(payload) for kind in ("slack", "email", "card") for _, payload in of(messages, kind)]
    assert not [found for text in shown for found in re.findall(r"\d\.\d+e[+-]\d+", text)]
