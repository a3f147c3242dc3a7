"""Every link in Markdown pages, alerts and dashboards has a target: a page, heading, runbook, dashboard or panel."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alerting import loader
from settings import stack
from tests.mock_engine import ROOT, stack_config

PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / ".github").glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "rules/runbooks").glob("*.md"),
    }
)
DASHBOARDS = sorted((ROOT / "dashboards/rendered").glob("*.json"))
ALERTS = loader.load().rules()
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_DASHBOARD = re.compile(r"/d/([A-Za-z0-9_-]+)(?:/[A-Za-z0-9_-]*)?(\?[^\s\"')`]*)?")
_PANEL = re.compile(r"[?&]viewPanel=(?:panel-)?(\d+)")
_RUNBOOK = re.compile(r"(?:runbooks}?|runbooks\})/([A-Za-z0-9_-]+)\.md")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub generates from the headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def page_problems(pages: list[Path]) -> Iterator[str]:
    """Relative links in Markdown pages that have no target, one line each."""
    for page in pages:
        for plain, reference in _LINK.findall(_CODE.sub("", _FENCE.sub("", page.read_text()))):
            link = urlsplit(plain or reference)
            if link.scheme:
                continue
            target = (page.parent / link.path).resolve() if link.path else page
            where = f"{page.name}: {plain or reference}"
            if not target.exists():
                yield f"{where}: there is no such file"
            elif link.fragment and (target.suffix != ".md" or link.fragment not in anchors(target.read_text())):
                yield f"{where}: {target.name} has no such heading"


def panels(document: dict[str, Any]) -> dict[str, set[int]]:
    """Maps the dashboard's uid to the ids of its panels, including those in rows."""
    found: set[int] = set()
    waiting = list(document["panels"])
    while waiting:
        panel = waiting.pop()
        found.add(panel["id"])
        waiting += panel.get("panels") or []
    return {document["uid"]: found}


KNOWN = {uid: ids for file in DASHBOARDS for uid, ids in panels(json.loads(file.read_text())).items()}


def text_problems(where: str, text: str) -> Iterator[str]:
    """Links in a text to dashboards, panels and runbooks that do not exist, one line each."""
    for match in _DASHBOARD.finditer(text):
        uid, query = match[1], match[2] or ""
        if uid not in KNOWN:
            yield f"{where}: {match[0]}: there is no dashboard {uid}"
            continue
        for number in _PANEL.findall(query):
            if int(number) not in KNOWN[uid]:
                yield f"{where}: {match[0]}: {uid} has no panel {number}"
    for alert in _RUNBOOK.findall(text):
        if not (ROOT / f"rules/runbooks/{alert}.md").is_file():
            yield f"{where}: there is no runbook {alert}.md"


def dashboard_links(document: Any) -> Iterator[str]:
    """All URLs and texts of text panels in a dashboard."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("url", "content", "linkUrl") and isinstance(value, str):
                yield value
            else:
                yield from dashboard_links(value)
    elif isinstance(document, list):
        for one in document:
            yield from dashboard_links(one)


def test_links_between_pages_have_targets() -> None:
    assert len(PAGES) > len(ALERTS)
    assert list(page_problems(PAGES)) == []


def test_dashboards_and_runbooks_that_pages_name_exist() -> None:
    # The example's dashboard exists in a checkout that has the example; tests/onboarding makes one.
    pages = [page for page in PAGES if not page.is_relative_to(ROOT / "docs/onboarding/example")]
    assert [problem for page in pages for problem in text_problems(page.name, page.read_text())] == []


def test_every_alert_links_to_a_dashboard_and_to_its_runbook() -> None:
    deployed = stack.parse(stack_config("local"), [])
    lines = loader.render_loki(deployed.rule_set, deployed.overrides, deployed.values.links)
    text = "\n".join([*deployed.rule_files().values(), *lines.values()])
    for alert, rule in ALERTS.items():
        assert list(text_problems(alert, str(rule.annotations.dashboard_url))) == []
        assert f"/{alert}.md" in text, alert
    base = deployed.values.runbook_base_url.rstrip("/")
    named = set(re.findall(rf"{re.escape(base)}/([^\s'\"]+)\.md", text))
    assert named == set(ALERTS)
    assert all((ROOT / f"rules/runbooks/{name}.md").is_file() for name in named)


def test_links_of_dashboards_have_targets() -> None:
    links = {file.name: list(dashboard_links(json.loads(file.read_text()))) for file in DASHBOARDS}
    assert [problem for name, own in links.items() for link in own for problem in text_problems(name, link)] == []
    found = "\n".join(link for own in links.values() for link in own)
    assert len(_RUNBOOK.findall(found)) >= len(ALERTS) / 2, "this test must recognise links to runbooks"


def test_a_link_without_a_target_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n[a](page.md#one-two) [b](gone.md) [c](page.md#three) [d](#one-two) [e](https://example.com/x)\n"
        "`[f](code.md)`\n```\n[g](fence.md)\n```\n[h]: other.md\n"
    )
    assert list(page_problems([page])) == [
        "page.md: gone.md: there is no such file",
        "page.md: page.md#three: page.md has no such heading",
        "page.md: other.md: there is no such file",
    ]
    assert list(text_problems("x", "/d/nope /d/platform-overview?viewPanel=9999 ${runbooks}/Nope.md")) == [
        "x: /d/nope: there is no dashboard nope",
        "x: /d/platform-overview?viewPanel=9999: platform-overview has no panel 9999",
        "x: there is no runbook Nope.md",
    ]
