"""What a program wrote into a label can forge no line, link or mark-up in a message."""

import re
from typing import Any

import pytest

from tests.rules.test_notifications import alert, data
from tests.rules.test_notifications import render as render  # noqa: PLC0414 -- a fixture

FORGED = "x\n*[RESOLVED] all fine*\r\nSilence     https://evil.test/silence \x1b[2J\x07\u202egpj.\u2028`code`\x85"


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty", "mail", "html"])
def test_a_value_from_a_program_forges_no_line(render: Any, kind: str) -> None:
    """It stands in labels, and in the texts of rules that show them."""
    forged = alert(1, summary=f"SUM {FORGED}", description=f"DESC {FORGED}")
    forged["labels"]["pod"] = FORGED
    text = {
        "slack": '{{ template "slack.text" . }}{{ template "title" . }}',
        "teams": '{{ template "teams.text" . }}',
        "pagerduty": '{{ template "subject" . }}{{ template "details" .Alerts }}{{ template "where" index .Alerts 0 }}',
        "mail": '{{ template "mail.text" . }}',
        "html": '{{ template "mail.html" . }}',
    }[kind]
    shown = render(text, data(forged), "html" if kind == "html" else "text")
    assert "all fine" in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", shown)
    assert not [line for line in shown.splitlines() if re.match(r"[ *\\]*(\[RESOLVED|Silence +https://evil)", line)]
    # Programs that show messages make links of addresses.
    assert "https:/ /evil" in shown
    assert "https://evil" not in shown
    if kind == "slack":
        assert "*[RESOLVED]" not in shown
        assert "`" not in shown
