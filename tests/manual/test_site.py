"""The manual's site has every page, no broken link, and no resources from other hosts."""

import re
import subprocess
import sys
from pathlib import Path

from alerting import loader
from tests.mock_engine import ROOT
from tools.manual import site


def test_the_site_is_built_without_a_broken_link() -> None:
    done = subprocess.run([sys.executable, "-m", "tools.manual"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    home = site.SITE / "index.html"
    assert "quickstart.html" in home.read_text()
    for alert in loader.load().rules():
        assert (site.SITE / f"rules/runbooks/{alert}.html").is_file()
    sources = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', home.read_text())
    assert len(sources) > 3
    assert [one for one in sources if one.startswith(("http", "//"))] == []


def test_a_link_to_a_file_that_is_not_a_page_becomes_its_name() -> None:
    pages = {Path("README.md"), Path("docs/a.md")}
    text = "[rules](../rules/x.yaml) [`code`](../x.py) [home](../README.md#top) [out](https://example.com) ![p](p.png)"
    assert site.for_site(text, Path("docs/a.md"), pages) == (
        "rules (`rules/x.yaml`) `code` [home](../README.md#top) [out](https://example.com) ![p](p.png)"
    )


def test_every_picture_is_shown_with_a_caption() -> None:
    page = (ROOT / "docs" / "pictures.md").read_text()
    shown = dict(re.findall(r"!\[([^\]]+)\]\(pictures/([^)]+)\)", page))
    files = {file.name for file in (ROOT / "docs" / "pictures").iterdir()}
    assert set(shown.values()) == files, "docs/pictures.md must show exactly the files of docs/pictures"
