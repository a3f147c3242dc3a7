"""`python -m tools.rule_tests`: runs every scenario with all rules of its files.

The tests run each scenario only with the rules that it needs. Exit code 1 if a scenario fails.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.rule_tests import FOLDER
from tools.rule_tests.promtool import promtool, rendered, write


def main() -> int:
    """Run the scenarios and print promtool's output. Returns the exit code."""
    files = {file.name: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.test.yaml"))}
    with TemporaryDirectory() as folder:
        write(rendered(), Path(folder))
        result = promtool("test", "rules", *write(files, Path(folder)))
    sys.stdout.write(result.stdout + result.stderr)
    return int(result.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
