"""`python -m tools.rule_tests`: runs every scenario with all rules of its files.

The tests run each scenario only with the rules that it needs. Exit code 1 if a scenario fails.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.mutation import scenarios
from tools.rule_tests import FOLDER, yaml_text
from tools.rule_tests.promtool import deployed, promtool, rendered, write


def main() -> int:
    """Run the scenarios and print promtool's output. Returns the exit code."""
    tests: list[Path] = []
    with TemporaryDirectory() as folder:
        for file in sorted(FOLDER.glob("*.test.yaml")):
            interval = scenarios.read(file).interval  # in which the rules count
            place = Path(folder) / interval
            write(
                {name: yaml_text.dump(deployed(yaml_text.load(text), interval)) for name, text in rendered().items()},
                place,
            )
            tests += write({file.name: file.read_text(encoding="utf-8")}, place)
        result = promtool("test", "rules", *tests)
    sys.stdout.write(result.stdout + result.stderr)
    return int(result.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
