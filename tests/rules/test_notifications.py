"""What notifications say: the templates of notifications.tmpl, rendered by Alertmanager's own amtool."""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from alerting import routing
from alerting.routing.channels import RECEIVER_HEADER
from local.toolchain import tool

NAME = "JobQueueDepthHigh"
GROUP = {"alertname": NAME, "cluster": "local", "queue": 'a "b" & c', "system": "job-queue"}


def alert(number: int = 1, status: str = "firing", **annotations: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {**GROUP, "severity": "warning", "pod": f"p{number}"},
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
        "commonLabels": {**GROUP, "severity": severity},
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


def receiver(name: str) -> dict[str, Any]:
    """The one integration of the channel's receiver."""
    routes = routing.load()
    secrets = dict.fromkeys(routes.secrets(), "SECRET")
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
    for part in (
        "*SUM*\nDESC 1\n<https://run.test/R.md|Runbook> · <https://dash.test/d/x|Dashboard> · "
        "<https://prom.test/graph?g0.expr=up|Query>",
        "*SUM* (resolved)\nDESC 2\n",
        "<https://am.test/#/alerts?receiver=job-queue-slack|All alerts>",
    ):
        assert part in text
    (silence,) = re.findall(r"<([^>|]+)\|Silence>", text)
    assert silence_filter(silence) == EXPECTED_FILTER


def test_slack_text_of_strangers_calls_nobody(render: Any) -> None:
    text = render(receiver("job-queue-slack")["text"], data(alert(1, description="<!channel> & <b>")))
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in text
    assert "<!channel>" not in text


@pytest.mark.parametrize(("count", "cut"), [(10, ""), (11, "… and 1 more"), (42, "… and 32 more")])
def test_slack_cuts_long_groups(render: Any, count: int, cut: str) -> None:
    text = render(receiver("job-queue-slack")["text"], data(*(alert(number) for number in range(count))))
    assert text.count("DESC ") == min(count, 10)
    assert (cut in text) if cut else (" more" not in text)


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
    assert links.pop("Silence").startswith("https://am.test/#/silences/new?filter=%7Balertname%3D%22JobQueueDepthHigh")
    assert links == {
        "Runbook": "https://run.test/R.md",
        "Dashboard": "https://dash.test/d/x",
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
        "1 resolved",
        "DESC 1",
        "since      2026-03-02 10:00:00 UTC",
        "until      2026-03-02 10:05:00 UTC",
        "runbook    https://run.test/R.md",
        "dashboard  https://dash.test/d/x",
        "query      https://prom.test/graph?g0.expr=up",
        "pod=p1",
        "https://am.test/#/alerts?receiver=",
    ):
        assert part in text
    (silence,) = re.findall(r"Silence +(\S+)", text)
    assert silence_filter(silence) == EXPECTED_FILTER
    assert text.count("until") == 1


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
    assert links["Dashboard"] == "https://dash.test/d/x"
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
