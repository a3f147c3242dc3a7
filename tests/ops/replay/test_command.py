"""The command: its options, a comparison through git, and the three forms of the report."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import UsageError
from ops.replay import command, deployed
from ops.replay.comparison import Comparison
from ops.replay.document import About, document
from ops.replay.episodes import HOUR, SECOND
from ops.replay.evaluation import Sources
from ops.replay.history import stretch
from ops.replay.page import page
from ops.replay.replay import replay
from ops.replay.suggestions import Suggestion, suggestions
from ops.replay.terminal import duration, show
from ops.review.commits import CHECKOUT
from tests.ops.conftest import Done
from tests.ops.replay.conftest import START, UNTIL, Recording, deployable
from tests.ops.review.edited import Copy

NOW = round(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()) * SECOND
FROM, TO = (datetime.fromtimestamp(at / SECOND, UTC).isoformat() for at in (START, UNTIL))
ABOUT = About(stack="staging", zone="UTC", prometheus="http://prometheus.test")


@pytest.fixture(scope="module")
def found(server: Recording, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The commit of a checkout, and its edited files, in which an alert waits longer."""
    head = deployable(tmp_path_factory.mktemp("repository"))
    head.commit()
    head.replace("rules/prometheus/orders.yaml", "> 1000\n        for: 2m", "> 1000\n        for: 30m")
    return command.compare(
        head.folder,
        base="HEAD",
        head=CHECKOUT,
        stack="staging",
        start=FROM,
        until=TO,
        sources=Sources(prometheus=server.url),
        zone=UTC,
    )


class Text(HTMLParser):
    """The texts, links and titles of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def test_every_form_of_the_report_tells_the_same(found: Comparison) -> None:
    report = document(ABOUT, found)
    alert = report["alerts"]["OrdersDepthHigh"]
    assert (report["base"], report["head"], alert["rule"]) == ("HEAD", CHECKOUT, "changed")
    assert (alert["episodes"], alert["lost"], alert["new"]) == ({"base": 2, "head": 1}, 4, 0)
    assert alert["firing_seconds"]["base"] == pytest.approx((8 + 58) * 60, abs=60)
    assert alert["firing_seconds"]["head"] == pytest.approx(30 * 60, abs=60)
    firing = next(one for one in report["messages"] if one["change"] == "moved" and one["firing"])
    assert firing["base_at"].startswith("2025-10-08T23:0")
    assert firing["head_at"].startswith("2025-10-08T23:3")
    hours = report["firing_messages_by_hour"]
    # Two receivers at 21:02, and three of the alert that the server raised at 21:40; the rest are heartbeats.
    assert hours["base"][21] - hours["head"][21] == 2
    assert json.loads(json.dumps(report)) == report

    out = StringIO()
    show(Console(file=out, width=240), report)
    html = Text(page(found, report))
    sentence = f"0 messages are new, 4 lost, {report['total']['moved']} moved. Pages: 1 -> 1, at night 0 -> 0."
    for shown in (out.getvalue(), html.texts):
        for part in ("OrdersDepthHigh", "orders-webhook", sentence, "SearchErrorLogBurst"):
            assert part in shown
    assert "8 -> 4" in out.getvalue()
    assert "8 → 4" in html.texts


def test_the_longest_episodes_link_to_their_graphs(found: Comparison) -> None:
    report = document(ABOUT, found)
    first, last = report["longest"]
    assert first["series"] == {"namespace": "orders", "app": "worker", "queue": "a"}
    assert first["base"]["seconds"] - first["head"]["seconds"] == 28 * 60
    assert last["head"] is None
    assert last["base"]["starts"].startswith("2025-10-08T21:0")
    links = [value for tag, name, value in Text(page(found, report)).attributes if (tag, name) == ("a", "href")]
    assert first["graph"] in links
    assert first["graph"].startswith("http://prometheus.test/graph?g0.expr=max+by+")
    assert "/d/orders-overview?from=17599" in first["dashboard"]
    assert document(About(stack="staging", zone="UTC", prometheus=None), found)["longest"][0]["graph"] is None


def test_the_timeline_has_bars_and_marks_of_both_sides(found: Comparison) -> None:
    attributes = Text(page(found, document(ABOUT, found))).attributes
    classes = [value for tag, name, value in attributes if (tag, name) == ("span", "class")]
    assert classes.count("bar") == 3
    # Firing and resolved messages of both receivers are at the same places.
    assert [classes.count(f"mark {change}") for change in ("lost", "new")] == [2, 0]
    assert classes.count("mark moved") >= 2
    titles = [value for _, name, value in attributes if name == "title"]
    assert any(title.startswith("orders-slack, firing, lost, 2025-10-08T21:0") for title in titles)
    assert any(title.endswith("and 1 more") for title in titles)


def test_suggestions_are_replayed_and_shown(found: Comparison, server: Recording) -> None:
    """The head has one episode of 30 minutes, and two receivers hear when it begins and ends."""
    better = suggestions(found.replay, Sources(prometheus=server.url))
    depth = {one.change: one for one in better if one.alert == "OrdersDepthHigh"}
    # 60 minutes above the threshold of 1,000, three times as high, after 30 minutes of `for`.
    assert "for: 45m" not in depth
    assert "threshold 1000 -> 1500" not in depth
    # It was raised, and the evening has no data of what it reads: a variant would seem to save everything.
    assert [one for one in better if one.alert == "OrdersNoWorkers"] == []
    report = document(
        ABOUT,
        found,
        [Suggestion(alert="A", change="for: 9m", before=4, after=2, all_before=9, all_after=7, unheard=1, later=240)],
    )
    out = StringIO()
    show(Console(file=out, width=240), report)
    for shown in (out.getvalue(), Text(page(found, report)).texts):
        for part in ("for: 9m", "4m"):
            assert part in shown
    assert "4 -> 2" in out.getvalue()


def test_variants_that_save_messages_are_suggested(server: Recording, base: Copy, tmp_path: Path) -> None:
    """Two short peaks, which a longer `for` does not hear, and a higher threshold does not either."""
    edited = deployable(tmp_path)
    edited.replace("rules/prometheus/orders.yaml", "for: 2m", "for: 3m")
    old, new = (deployed.read(one.folder, "staging", name="x") for one in (base, edited))
    sources = Sources(prometheus=server.url)
    found = replay(old, new, sources, since=START, until=UNTIL)
    better = {one.change: one for one in suggestions(found, sources, most=1)}
    assert {one.alert for one in better.values()} == {"OrdersDepthHigh"}
    saved = better["for: 18m"]
    assert (saved.before, saved.after, saved.unheard, saved.later) == (8, 4, 1, 15 * 60)
    # 1,500 orders are not more than 1,500.
    assert (better["threshold 1000 -> 1500"].after, better["threshold 1000 -> 1500"].unheard) == (4, 1)
    assert "threshold 1000 -> 1250" not in better
    assert [one.after for one in better.values()] == sorted(one.after for one in better.values())


def test_a_real_stack_is_compared_by_the_command_line(
    ops: Callable[..., Done], server: Recording, tmp_path: Path
) -> None:
    options = ("--base", CHECKOUT, "--stack", "staging", "--from", FROM, "--until", TO, "--prometheus", server.url)
    done = ops("replay", *options, "--zone", "UTC", "--folder", str(tmp_path / "replay"))
    assert done.returncode == 0, done.stderr
    assert "No difference: both notify " in done.stdout
    report = json.loads((tmp_path / "replay/report.json").read_text())
    assert report["receivers"]["job-queue-slack"]["head"]["messages"] == 2
    assert "SpecCursorErrorLogBurst" in report["not_replayed"]
    assert "No difference" in (tmp_path / "replay/report.html").read_text()


@pytest.mark.parametrize(
    ("start", "until", "since", "end"),
    [
        ("30d", None, NOW - 720 * HOUR, NOW),
        ("1h30m", "2026-11-28T11:00", NOW - 2.5 * HOUR, NOW - HOUR),
        ("2026-11-28T10:00", None, NOW - 2 * HOUR, NOW),
        ("2026-11-28T10:00+02:00", "2026-11-28T11:00Z", NOW - 4 * HOUR, NOW - HOUR),
        ("2026-11-28", None, NOW - 12 * HOUR, NOW),
    ],
)
def test_times_and_durations(start: str, until: str | None, since: float, end: float) -> None:
    assert stretch(start, until, NOW) == (since, end)


@pytest.mark.parametrize(
    ("start", "until", "message"),
    [
        (
            "soon",
            None,
            "--from soon is not allowed; allowed: a time such as 2026-11-28T12:00, or a duration such as 30d",
        ),
        ("1h", "later", "--until later is not allowed; allowed: a time such as 2026-11-28T12:00$"),
        ("1h", "2026-11-28T12:01", "--until 2026-11-28T12:01 is in the future; allowed: a time up to now"),
        ("0s", None, "--from 0s is not before the end; allowed: a duration above zero, or a time before it"),
        ("2026-11-28T12:00", None, "--from 2026-11-28T12:00 is not before the end"),
        ("90y", None, "--from 90y is not before the end"),
        ("1h1d", None, "--from 1h1d is not allowed: must be a Prometheus duration"),
    ],
)
def test_wrong_times_are_refused(start: str, until: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stretch(start, until, NOW)


def test_an_unknown_zone_is_refused(ops: Callable[..., Done]) -> None:
    done = ops("replay", "--zone", "Moon/Crater", "--prometheus", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --zone Moon/Crater is not a time zone here; allowed: UTC, or a name such as")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (29, "29s"), (60, "1m"), (3600, "1h"), (90_060, "1d 1h 1m"), (172_800, "2d")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
