"""Builds the manual as a site: stages the pages with their paths in the checkout, and runs MkDocs in strict mode.

Links to files that are not pages, such as rule files, would be broken on the site; they are replaced by their text.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from alerting.files import ROOT

STAGE = ROOT / ".state" / "tools/manual" / "pages"
SITE = ROOT / ".state" / "tools/manual" / "site"
# Suppresses the theme's advertisement of its successor.
_QUIET = {"NO_MKDOCS_2_WARNING": "1"}
_SHOWN = (".md", ".svg", ".png")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def sources(root: Path = ROOT) -> Iterator[Path]:
    """Every page and picture of the manual, relative to the checkout."""
    yield from (Path(name) for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))
    yield from (Path(name) for name in ("instrumentation/README.md", "instrumentation/CHANGELOG.md"))
    yield Path("tests/observability/README.md")
    for folder in ("docs", "rules/runbooks"):
        files = sorted((root / folder).rglob("*"))
        yield from (file.relative_to(root) for file in files if file.suffix in _SHOWN and "example" not in file.parts)


def stage(target: Path = STAGE, root: Path = ROOT) -> None:
    """Empty the folder `target` and copy the pages into it."""
    shutil.rmtree(target, ignore_errors=True)
    pages = set(sources(root))
    for page in sorted(pages):
        file = target / page
        file.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".md":
            file.write_text(for_site((root / page).read_text(), page, pages))
        else:
            shutil.copyfile(root / page, file)


def for_site(text: str, page: Path, pages: set[Path]) -> str:
    """The page's text, without links to files that are not pages."""

    def linked(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        if ":" in target or _resolved(page.parent / target) in pages:
            return match[0]
        return words if words.startswith("`") else f"{words} (`{_resolved(page.parent / target)}`)"

    return _LINK.sub(linked, text)


def _resolved(path: Path) -> Path:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return Path(*parts)


def build() -> int:
    """Build the site. Returns MkDocs' exit code, which is not 0 for a broken link."""
    stage()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **_QUIET}, check=False).returncode


def main() -> int:
    """Build the site and print its path. Returns the exit code."""
    code = build()
    if code == 0:
        sys.stdout.write(f"{SITE.relative_to(ROOT)}/index.html\n")
    return code
