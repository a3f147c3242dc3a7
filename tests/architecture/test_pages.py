"""Documentation pages agree with the facts in code that they repeat."""

import re

from tests.architecture.test_architecture import LAYERS
from tests.mock_engine import ROOT


def test_the_page_names_what_each_folder_may_import() -> None:
    page = (ROOT / "docs/architecture.md").read_text().partition("## Folders")[2].partition("###")[0]
    rows = dict(re.findall(r"^\| `(\w+)/` \|.*\| ([^|]*)\|$", page, re.MULTILINE))
    assert rows.keys() - LAYERS.keys() == {"rules", "tests"}
    for folder, allowed in LAYERS.items():
        assert set(re.findall(r"`(\w+)`", rows[folder])) == allowed, folder


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900
