"""A tag releases exactly the version of the checkout, with the changelog's section as its notes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mock_engine import ROOT
from tools.release import ReleaseError, notes

CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-28\n\n### Added\n\n- This.\n\n## [1.1.0] - 2026-10-01\n"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_the_notes_are_the_section_of_the_version(checkout: Path) -> None:
    assert notes("v1.2.0", checkout) == "### Added\n\n- This.\n"


@pytest.mark.parametrize("tag", ["v1.1.0", "1.2.0", "v1.2.0-rc1", "v1x2.0"])
def test_a_tag_that_names_another_version_is_refused(checkout: Path, tag: str) -> None:
    with pytest.raises(ReleaseError) as error:
        notes(tag, checkout)
    assert str(error.value) == f"{tag}: not allowed; allowed: v1.2.0, the version in pyproject.toml"


@pytest.mark.parametrize(
    "changelog",
    [
        CHANGELOG.replace("## [1.2.0] - 2026-11-28", "## [1.2.0]"),
        CHANGELOG.replace("[1.2.0]", "[1.2.1]"),
        "## [1.2.0] - 2026-11-28\n\n## [1.1.0] - 2026-10-01\n\n- That.\n",
    ],
)
def test_a_version_without_a_dated_section_is_refused(checkout: Path, changelog: str) -> None:
    (checkout / "CHANGELOG.md").write_text(changelog)
    with pytest.raises(ReleaseError, match=re.escape("CHANGELOG.md: the section `## [1.2.0] - YYYY-MM-DD` is missing")):
        notes("v1.2.0", checkout)


def test_this_checkout_can_be_released(tmp_path: Path) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    command = [sys.executable, "-m", "tools.release", f"v{version[1]}", "--notes", str(tmp_path / "notes.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notes.md").read_text() in (ROOT / "CHANGELOG.md").read_text()
    refused = subprocess.run(
        [*command[:3], "v0.0.0", *command[4:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, "v0.0.0: not allowed" in refused.stderr) == (1, True)
