"""The report's files are complete, need no other files, and are safe to open."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ops.drills import report_files
from ops.drills.report import Result
from ops.drills.report_files import Outputs
from ops.drills.stages import Run, Stage, verdict
from ops.errors import UsageError
from tests.ops.drills.drill_stack import CHANNEL, plan

BEGAN = 1_700_000_000.0


def result() -> Result:
    good = Run(
        plan=plan("JobQueueDepthHigh"),
        stage=Stage.DONE,
        fault_on=BEGAN + 10,
        fault_off=BEGAN + 20,
        fired={CHANNEL: BEGAN + 19.5},
        resolved={CHANNEL: BEGAN + 60},
    )
    bad = Run(
        plan=plan("TargetDown", system="platform"),
        stage=Stage.FAILED,
        fault_on=BEGAN + 100,
        fault_off=BEGAN + 160,
        fired={"elsewhere": BEGAN + 130},
        problems=["no firing notification in <b>job-queue-webhook</b>"],
    )
    series = Run(
        plan=plan("NodeCPUHigh", system="platform", window=3600),
        stage=Stage.DONE,
        fault_on=BEGAN + 5,
        fault_off=BEGAN + 8,
        fired={CHANNEL: BEGAN + 8},
        not_awaited=True,
    )
    beats = Run(plan=plan("Watchdog", system="platform"), stage=Stage.DONE, heartbeats=[BEGAN + 1, BEGAN + 61])
    return Result(
        environment="local",
        began=BEGAN,
        ended=BEGAN + 200,
        runs=[good, bad, series, beats],
        others=["GrafanaDown"],
        left_out={"JobQueueRedisErrors": "this stack disables it"},
    )


class Tags(HTMLParser):
    """Collects all start tags, and checks that the end tags match them in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_document_has_every_fact() -> None:
    document = report_files.document(result())
    good, bad, series, beats = document["alerts"]

    assert json.loads(json.dumps(document)) == document
    assert document["seconds"] == 200
    assert document["within_limit"]
    assert document["left_out"] == {"JobQueueRedisErrors": "this stack disables it"}
    assert (good["fault"], bad["fault"], series["fault"], beats["fault"]) == (
        "simulated workload",
        "real",
        "simulated series",
        "always fires",
    )
    assert (good["ok"], bad["ok"], series["ok"], beats["ok"]) == (True, False, True, True)
    assert (good["delivery"], good["resolve"]) == (9.5, 40)
    assert series["resolve_text"] == "not awaited: window 1h"
    assert (beats["heartbeats"], beats["longest_gap"]) == (2, 60)


def test_the_page_is_complete_escaped_and_loads_nothing() -> None:
    page = report_files.page(result())
    tags = Tags()
    tags.feed(page)

    assert tags.open == [], "every tag must be closed"
    assert not [name for name, attributes in tags.seen if name in ("script", "link", "img", "iframe")]
    assert not re.search(r"https?://|url\(|@import", page)
    assert "<b>job-queue-webhook</b>" not in page
    assert "&lt;b&gt;job-queue-webhook" in page
    text = html.unescape(page)
    for shown in ("3 of 4", "3.3 min", "simulated series", "elsewhere", "2 heartbeats arrived, longest gap 60 s"):
        assert shown in text
    assert "GrafanaDown" in page
    assert "this stack disables it" in page


def test_the_timeline_is_to_scale() -> None:
    page = report_files.page(result())
    (line,) = re.findall(r'<div class="name ">JobQueueDepthHigh</div>(.*?)</div>', page, re.DOTALL)

    assert 'class="bar fault" style="left: 5.0%; width: 5.0%"' in line
    assert 'class="bar after" style="left: 10.0%; width: 20.0%"' in line
    assert f'class="mark firing" style="left: 9.75%" title="{CHANNEL}: firing after 9.5 s"' in line
    assert f'class="mark resolved" style="left: 30.0%" title="{CHANNEL}: resolved after 50.0 s"' in line


def test_a_drill_that_took_too_long_is_marked() -> None:
    slow = Result(environment="local", began=BEGAN, ended=BEGAN + 1801, runs=[])

    assert not report_files.document(slow)["within_limit"]
    assert '<b class="bad">30.0 min</b>' in report_files.page(slow)


def test_the_report_is_always_written_and_copied_to_the_given_files(tmp_path: Path) -> None:
    outputs = Outputs(folder=tmp_path / "a/b", html=tmp_path / "mine.html")
    written = list(report_files.write(result(), outputs))

    assert written == [tmp_path / "a/b/report.json", tmp_path / "a/b/report.html", tmp_path / "mine.html"]
    assert json.loads(written[0].read_text())["environment"] == "local"
    assert written[1].read_text() == written[2].read_text()


@pytest.mark.parametrize("name", ["json", "html"])
def test_a_file_that_cannot_be_written_is_refused_before_the_drill(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"the folder .* does not exist"):
        Outputs(folder=tmp_path, **{name: tmp_path / "none/report"}).check()
    with pytest.raises(UsageError, match="is a folder; allowed: the name of a file"):
        Outputs(folder=tmp_path, **{name: tmp_path}).check()


@pytest.mark.parametrize(("seconds", "late", "text"), [(7.0, False, "delivered"), (7.1, True, "delivered late")])
def test_a_delivery_above_its_limit_is_late(seconds: float, late: bool, text: str) -> None:
    """The limit is the sum of the waits (1 s each), one more scrape, and two seconds."""
    run = Run(plan=plan("A"), stage=Stage.DONE, fault_on=BEGAN, fired={CHANNEL: BEGAN + seconds})
    assert run.plan.waits.limit == 7
    assert (run.late, verdict(run)) == (late, f"{text} and resolved")
