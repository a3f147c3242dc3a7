"""`python -m tools.generate [--check]`: writes every generated file, or with --check lists those that are stale.

Exit code 1 if --check finds a stale file. `make generate` also draws docs/network.svg, by a test, because the picture
needs the whole program.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import dashboards
from tools.generate import deployed
from tools.manual import contract_page, runbooks_page, settings_page

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("dashboards/rendered", deployed.FOLDER)
"""Folders that hold generated files only: a file that nothing draws any more is stale, too."""


def files() -> dict[str, str]:
    """Path of each generated file, relative to the project -> its text."""
    return {
        **{
            f"dashboards/rendered/{name}.json": dashboards.render(build())
            for name, build in dashboards.DASHBOARDS.items()
        },
        "docs/contract.md": contract_page.page(),
        "docs/settings.md": settings_page.page(),
        "docs/runbooks.md": runbooks_page.page(),
        **deployed.files(),
    }


def stale(wanted: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Generated files that differ, are missing, or are not drawn any more; sorted."""
    found = (file for folder in FOLDERS for file in (root / folder).rglob("*") if file.is_file())
    present = {str(file.relative_to(root)) for file in found}
    differing = {path for path, text in wanted.items() if _text(root / path) != text}
    return sorted(differing | (present - wanted.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="list stale files and write nothing")
    check = parser.parse_args(arguments).check
    wanted = files()
    found = stale(wanted)
    for path in found:
        if check:
            print(f"{path}: stale; write it with: make generate")
        elif path in wanted:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(wanted[path], encoding="utf-8")
            print(f"{path}: written")
        else:
            (ROOT / path).unlink()
            print(f"{path}: removed")
    return 1 if check and found else 0


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
