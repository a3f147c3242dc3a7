"""`python -m tools.generate [--check]`: writes every generated file, or with --check lists those that are stale.

Exit code 1 if --check finds a stale file.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import dashboards
from alerting.files import ROOT
from tools.generate import deployed
from tools.manual import contract_page, network_picture, readme, runbooks_page, settings_page, versions_page
from tools.recording.engine import Recorded
from tools.recording.program import run_stack

FOLDERS = ("dashboards/rendered", deployed.FOLDER)
"""Folders that hold generated files only: a file that nothing draws any more is stale, too."""


def files() -> dict[str, str]:
    """Path, relative to the project -> text, of each file that is generated without running the program."""
    return {
        **{
            f"dashboards/rendered/{name}.json": dashboards.render(build())
            for name, build in dashboards.DASHBOARDS.items()
        },
        readme.FILE: readme.page(),
        "docs/contract.md": contract_page.page(),
        "docs/settings.md": settings_page.page(),
        "docs/runbooks.md": runbooks_page.page(),
        "docs/versions.md": versions_page.page(),
        **deployed.files(),
    }


def pictures(local: Recorded) -> dict[str, str]:
    """Path, relative to the project -> text, of each file that shows what the program registers for the local stack."""
    policies = (one.inputs for one in local.of("NetworkPolicy"))
    return {"docs/network.svg": network_picture.picture(network_picture.allowed(policies))}


def stale(wanted: Mapping[str, str], root: Path = ROOT, folders: Sequence[str] = FOLDERS) -> list[str]:
    """Files that differ or are missing, and those in `folders` that are not generated any more; sorted."""
    found = (file for folder in folders for file in (root / folder).rglob("*") if file.is_file())
    present = {str(file.relative_to(root)) for file in found}
    differing = {path for path, text in wanted.items() if _text(root / path) != text}
    return sorted(differing | (present - wanted.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="list stale files and write nothing")
    check = parser.parse_args(arguments).check
    found = _update(files(), FOLDERS, check=check)
    if not (check and found):  # the program reads the files above, and refuses wrong ones
        found += _update(pictures(run_stack("local")), (), check=check)
    return 1 if check and found else 0


def _update(wanted: Mapping[str, str], folders: Sequence[str], *, check: bool) -> list[str]:
    """Writes the stale files, or lists them if `check`. Returns their paths."""
    found = stale(wanted, folders=folders)
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
    return found


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
