"""A small rule set that is never deployed, in fixtures/: for tests of the code that reads rules.

Such a test must not turn red because the number of a deployed alert changes.
"""

import shutil
from pathlib import Path

from alerting import loader
from alerting.model import RuleSet

FIXTURES = Path(__file__).with_name("fixtures")
RULES = FIXTURES / "rules"
"""The fixed rule set, with the folders of `rules/`."""


def load() -> RuleSet:
    """The fixed rule set as it is."""
    return loader.load(RULES)


def copied(folder: Path) -> Path:
    """`folder`, with a copy of the fixed rule set in it."""
    shutil.copytree(RULES, folder, dirs_exist_ok=True)
    return folder


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """The same with the first `old` in one file replaced; a text that is not there is a broken test."""
    path = copied(folder) / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1))
    return folder
