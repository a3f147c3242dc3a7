"""What notifications say: the templates of notifications.tmpl, rendered by Alertmanager's own amtool."""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from alerting import loader, routing
from alerting.routing.kinds.email import RECEIVER_HEADER
from local.toolchain import tool
from settings.stack_files import ROOT

NAME = "JobQueueDepthHigh"
GROUP = {"alertname": NAME, "cluster": "local", "queue": 'a "b" & c', "system": "job-queue"}


def alert(number: int = 1, status: str = "firing", **annotations: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {**GROUP, "severity": "warning", "team": "jobs", "pod": f"p{number}"},
        "annotations": {
            "summary": "SUM",
            "description": f"DESC {number}",
            "runbook_url": "https://run.test/R.md",
            "dashboard_url": "https://dash.test/d/x",
            **annotations,
        },
        "startsAt": "2026-03-02T10:00:00Z",
        "endsAt": "2026-03-02T10:05:00Z",
        "generatorURL": "https://prom.test/graph?g0.expr=up",
    }


def data(*alerts: dict[str, Any], severity: str = "warning", **more: Any) -> dict[str, Any]:
    common = alerts[0]["annotations"]
    return {
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "receiver": "job-queue-slack",
        "externalURL": "https://am.test",
        "commonLabels": {**GROUP, "severity": severity, "team": "jobs"},
        "commonAnnotations": {key: common[key] for key in ("summary", "runbook_url", "dashboard_url")},
        "groupLabels": GROUP,
        "alerts": list(alerts),
        **more,
    }


@pytest.fixture
def render(tmp_path: Path) -> Any:
    (tmp_path / routing.TEMPLATES).write_text(routing.message_templates())

    def rendered(text: str, values: dict[str, Any], kind: str = "text") -> str:
        file = tmp_path / "data.json"
        file.write_text(json.dumps(values))
        result = subprocess.run(
            [
                tool("amtool"),
                "template",
                "render",
                f"--template.glob={tmp_path / routing.TEMPLATES}",
                f"--template.data={file}",
                f"--template.type={kind}",
                f"--template.text={text}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return rendered


def receiver(name: str, who: str = "here") -> dict[str, Any]:
    """The one integration of the channel's receiver; `who` is mentioned."""
    routes = routing.load()
    secrets = {key: who if form == "mention" else "SECRET" for key, form in routes.forms().items()}
    ((found,),) = routes.channels[name].kind.receiver(name, secrets).values()
    return found


def silence_filter(url: str) -> str:
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://am.test/"
    path, _, query = parts.fragment.partition("?")
    assert path == "/silences/new"
    assert "+" not in query, "Alertmanager's page takes a plus as it is"
    return unquote(query.removeprefix("filter="))


EXPECTED_FILTER = r'{alertname="JobQueueDepthHigh",cluster="local",queue="a \"b\" & c",system="job-queue"}'


def test_the_title_tells_status_alert_severity_and_cluster(render: Any) -> None:
    title = receiver("job-queue-slack")["title"]
    assert render(title, data(alert(1), alert(2))).strip() == f"[FIRING:2] {NAME} (warning, local)"
    assert render(title, data(alert(1, "resolved"))).strip() == f"[RESOLVED] {NAME} (warning, local)"


@pytest.mark.parametrize(
    ("status", "severity", "color"),
    [("firing", "critical", "danger"), ("firing", "warning", "warning"), ("resolved", "critical", "good")],
)
def test_slacks_color(render: Any, status: str, severity: str, color: str) -> None:
    text = receiver("job-queue-slack")["color"]
    assert render(text, data(alert(1, status), severity=severity)).strip() == color


def test_slack_says_what_a_person_needs(render: Any) -> None:
    text = render(receiver("job-queue-slack")["text"], data(alert(1), alert(2, "resolved")))
    lines = text.splitlines()
    where = 'pod=p1, queue=a "b" &amp; c'
    assert lines[:3] == ["*SUM*", "DESC 1", f"since 2026-03-02 10:00 UTC · team jobs · {where}"]
    names = [link.rpartition("|")[2] for link in re.findall(r"<([^>]+)>", lines[3])]
    assert names == ["Runbook", "Dashboard", "Query", "Silence", "All alerts"], "in the order in which they are needed"
    for part in (
        "<https://run.test/R.md|",
        "<https://prom.test/graph?g0.expr=up|",
        "/#/alerts?receiver=job-queue-slack|",
    ):
        assert part in lines[3]
    other = '• over: pod=p2, queue=a "b" &amp; c, 2026-03-02 10:00 to 2026-03-02 10:05 UTC, 5m 0s'
    assert lines[4:] == [other], "an alert that is over stands apart, with its times"
    (silence,) = re.findall(r"<([^>|]+)\|Silence>", text)
    assert silence_filter(silence) == EXPECTED_FILTER


def test_slack_text_of_strangers_calls_nobody(render: Any) -> None:
    text = render(receiver("job-queue-slack")["text"], data(alert(1, description="<!channel> & <b>")))
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in text
    assert "<!channel>" not in text


@pytest.mark.parametrize(("count", "cut"), [(5, ""), (6, "… and 1 more that fire"), (42, "… and 37 more that fire")])
def test_slack_cuts_long_groups(render: Any, count: int, cut: str) -> None:
    text = render(receiver("job-queue-slack")["text"], data(*(alert(number) for number in range(count))))
    assert text.count("pod=p") == min(count, 5)
    assert (cut in text) if cut else (" more" not in text)


def test_a_resolved_message_reads_as_resolved(render: Any) -> None:
    """Descriptions are written in the present tense, with the last value."""
    values = data(alert(1, "resolved"))
    slack = render(receiver("job-queue-slack")["text"], values)
    assert slack.startswith("*Over:* *SUM*\nLast state: DESC 1\n2026-03-02 10:00 to 2026-03-02 10:05 UTC, 5m 0s · ")
    teams = render('{{ template "teams.text" . }}', values)
    assert "**Over:** **SUM**\n\nLast state: DESC 1\n" in teams
    subject = render(receiver("media-email")["headers"]["Subject"], values)
    assert subject.strip() == f"[RESOLVED] {NAME} (warning, local) is over: SUM"
    mail = render(receiver("media-email")["text"], values)
    assert "Over: SUM\nLast state: DESC 1\n" in mail
    page = render(receiver("media-email")["html"], values, "html")
    assert "Over: SUM" in page
    assert "Last state: DESC 1" in page


def dashboard(text: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of the dashboard's link in a Slack text."""
    (url,) = re.findall(r"<([^>|]+)\|Dashboard>", text)
    parts = urlsplit(url)
    return parts.path, {name: value for name, (value,) in parse_qs(parts.query).items()}


def test_the_dashboard_opens_with_the_alerts_labels_and_time(render: Any) -> None:
    text = receiver("job-queue-slack")["text"]
    began = 1772445600  # 2026-03-02 10:00 UTC
    path, parameters = dashboard(render(text, data(alert(1))))
    assert path == "/d/x"
    assert parameters == {"from": str((began - 3600) * 1000), "to": "now", "var-queue": GROUP["queue"]}
    _, parameters = dashboard(render(text, data(alert(1, "resolved"))))
    assert parameters["to"] == str((began + 300 + 900) * 1000)
    page = render(receiver("media-email")["html"], data(alert(1)), "html")
    (link,) = re.findall(r'<a href="([^"]*)">Dashboard</a>', page)
    assert parse_qs(urlsplit(html.unescape(link)).query)["var-queue"] == [GROUP["queue"]]


def test_links_carry_every_variable_that_an_alert_can_have() -> None:
    """The list of names in the templates, compared with the dashboards' variables and the labels of all alerts."""
    lists = set(re.findall(r'match "\^\(([a-z_|]+)\)\$"', routing.message_templates()))
    (names,) = [set(found.split("|")) for found in lists]
    variables = {
        variable["name"]
        for file in (ROOT / "dashboards/rendered").glob("*.json")
        for variable in json.loads(file.read_text())["templating"]["list"]
        if variable["type"] in ("query", "custom")
    }
    expressions = " ".join(rule.expr for rule in [*loader.load().rules().values(), *loader.load().recordings()])
    labels = {label.strip() for found in re.findall(r"by \(([^)]*)\)", expressions) for label in found.split(",")}
    missing = (variables & labels) - names
    assert not missing, "alerts have these labels and dashboards these variables"
    assert not names - variables, "no dashboard has these variables"


def test_only_who_is_on_call_is_mentioned_and_only_while_it_fires(render: Any) -> None:
    pretext = receiver("media-clustering-slack", who="S0123ABCD")["pretext"]
    latency = {"alertname": "MediaClusterLatencyHigh", "severity": "warning", "cluster": "c"}
    assert render(pretext, data(alert(), commonLabels=latency)) == "<!subteam^S0123ABCD>"
    assert render(pretext, data(alert(1, "resolved"), commonLabels=latency)) == ""
    assert render(pretext, data(alert())) == ""
    here = receiver("media-clustering-slack", who="here")["pretext"]
    assert render(here, data(alert(), commonLabels=latency)) == "<!here>"
    assert "pretext" not in receiver("media-slack")


def test_pagerduty_says_what_a_person_needs(render: Any) -> None:
    found = receiver("oncall-pagerduty")
    values = data(alert(1), alert(2), alert(3, "resolved"), severity="critical")
    assert render(found["description"], values).strip() == f"[FIRING:2] {NAME} (critical, local) SUM"
    fields = {key: render(found[key], values).strip() for key in ("severity", "source", "class", "component", "group")}
    assert fields == {"severity": "critical", "source": "local", "class": NAME, "component": "", "group": "job-queue"}
    details = {key: render(text, values) for key, text in found["details"].items()}
    assert details["receiver"] == "oncall-pagerduty"
    assert details["alertname"] == NAME
    assert (details["firing"].count("DESC"), details["resolved"].count("DESC")) == (2, 1)
    assert "  pod = p2" in details["firing"]
    links = {one["text"]: render(one["href"], values).strip() for one in found["links"]}
    assert list(links) == ["Runbook", "Dashboard", "Query", "Silence"]
    assert links.pop("Dashboard").startswith("https://dash.test/d/x?from=")
    assert "since 2026-03-02 10:00 UTC" in details["firing"]
    assert details["team"] == "jobs"
    assert links.pop("Silence").startswith("https://am.test/#/silences/new?filter=%7Balertname%3D%22JobQueueDepthHigh")
    assert links == {
        "Runbook": "https://run.test/R.md",
        "Query": "https://prom.test/graph?g0.expr=up",
    }
    assert render(found["client_url"], values) == "https://am.test/#/alerts?receiver=job-queue-slack"


def test_pagerduty_refuses_no_event_without_severity_and_cuts_long_groups(render: Any) -> None:
    found = receiver("oncall-pagerduty")
    nameless = data(*(alert(number) for number in range(23)), commonLabels={"alertname": "A"})
    assert render(found["severity"], nameless) == "error"
    firing = render(found["details"]["firing"], nameless)
    assert firing.count("DESC") == 20
    assert firing.endswith("and 3 more")
    assert render(found["component"], data(alert(), commonLabels={"app": "x", "subject": "s"})) == "x"


def test_mail_carries_its_channel_and_subject(render: Any) -> None:
    found = receiver("media-email")
    assert found["to"] == "SECRET"
    assert found["headers"][RECEIVER_HEADER] == "media-email"
    subject = render(found["headers"]["Subject"], data(alert()))
    assert subject.strip() == f"[FIRING:1] {NAME} (warning, local) SUM"
    assert "\n" not in subject.strip()


def test_mail_as_text(render: Any) -> None:
    text = render(receiver("media-email")["text"], data(alert(1), alert(2, "resolved")))
    for part in (
        "1 firing",
        "1 over",
        "DESC 1",
        "when       since 2026-03-02 10:00 UTC",
        "when       2026-03-02 10:00 to 2026-03-02 10:05 UTC, 5m 0s",
        "Runbook     https://run.test/R.md",
        "Dashboard   https://dash.test/d/x?from=",
        "Query       https://prom.test/graph?g0.expr=up",
        "Team        jobs",
        "pod=p1",
        "https://am.test/#/alerts?receiver=",
    ):
        assert part in text
    (silence,) = re.findall(r"Silence +(\S+)", text)
    assert silence_filter(silence) == EXPECTED_FILTER


def test_mail_as_html_escapes(render: Any) -> None:
    strange = '<script>alert(1)</script>"'
    page = render(
        receiver("media-email")["html"],
        data(alert(1, description=strange, runbook_url="javascript:alert(1)"), severity="critical"),
        "html",
    )
    assert "<script>" not in page
    assert html.escape(strange, quote=False)[:20] in page
    assert "javascript:" not in page
    assert "#cf222e" in page
    links = {text: html.unescape(url) for url, text in re.findall(r'<a href="([^"]*)">([^<]*)</a>', page)}
    assert links["Dashboard"].startswith("https://dash.test/d/x?from=")
    assert parse_qs(urlsplit(links["Query"]).query) == {"g0.expr": ["up"]}
    assert silence_filter(links["Silence"]) == EXPECTED_FILTER
    assert links["All alerts"] == "https://am.test/#/alerts?receiver=job-queue-slack"


def test_slack_and_mail_do_without_links_that_an_alert_has_not(render: Any) -> None:
    bare = alert(1, runbook_url="", dashboard_url="")
    text = render(receiver("job-queue-slack")["text"], data(bare))
    page = render(receiver("media-email")["html"], data(bare), "html")
    for found in (text, page):
        assert "Query" in found
        assert "Runbook" not in found
        assert "Dashboard" not in found
