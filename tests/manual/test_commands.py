"""Every command, setting and file that the manual names exists."""

import os
import re
import subprocess

import pytest
import yaml

from alerting import routing
from components.metrics.monitors import convert, endpoints
from settings.values import SECRETS
from tests.e2e import quickstart
from tests.manual.pages import PAGES, commands, names, targets
from tests.mock_engine import ROOT

TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
SETTINGS = {key for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"] if ":" not in key}
KNOWN = SETTINGS | set(SECRETS) | set(routing.load().secrets())
BOOTSTRAP = {key for key in yaml.safe_load((ROOT / "bootstrap/Pulumi.yaml").read_text())["config"] if ":" not in key}
COMMANDS = [(page.name, command) for page in PAGES for command in commands(page)]
# These targets need only the checkout and do not change it, so this test runs them exactly as the pages show them.
HERE = {"help", "help-all", "cost", "coverage"}
# The other targets belong to `make test`, or other tests run the same program.
ELSEWHERE = {
    **dict.fromkeys(("up", "down", "check", "unit-all", "e2e"), "Makefile"),
    "test": "Makefile",
    **dict.fromkeys(quickstart.TARGETS, "tests/e2e/quickstart.py"),
    "unit": ".github/workflows/nightly.yml",
    "fire-alerts": "tests/e2e/test_fire_alerts.py",
    "kill-drill": "tests/e2e/test_kill_drill.py",
    "attack": "tests/e2e/isolation/test_attack.py",
    "mutants": "tests/tools/test_mutation_smoke.py",
    "generate": "tests/tools/test_generate.py",
    "deploy-dashboards": "tests/ops/test_deploy_dashboards.py",
    "bench": "instrumentation/tests/test_bench_middleware.py",
    "bench-middleware": "instrumentation/tests/test_bench_middleware.py",
    "bench-collectors": "tests/tools/test_bench_collectors.py",
    "load": "instrumentation/tests/test_load.py",
    "docs": "tests/manual/test_site.py",
    "observability": "tests/simulator/test_observability.py",
    "drift": "tests/ops/test_drift.py",
    "summary": "tests/ops/review/test_report.py",
    "replay": "tests/ops/replay/test_command.py",
    "capture": "tests/ops/replay/test_incident.py",
    "golden": "tests/golden/test_golden.py",
    "fmt": "Makefile",
    "simulator-image": "tests/local/test_choice.py",
}


def test_pages_have_commands() -> None:
    assert len(COMMANDS) > 60
    assert {"README.md", "quickstart.md", "operations.md"} <= {page for page, _ in COMMANDS}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_target_exists_and_is_run_by_a_test(page: str, command: str) -> None:
    for target in targets(command):
        if target == "..." or target not in TARGETS | {"up"}:
            pytest.fail(f"{page}: {command}: the Makefile has no target {target}")
        assert target in HERE or (ROOT / ELSEWHERE[target]).is_file(), f"{page}: {command}"


def test_every_target_of_the_makefile_is_in_the_manual() -> None:
    named = {target for _, command in COMMANDS for target in targets(command)}
    assert TARGETS - named == set()


def test_help_shows_few_targets_and_help_all_shows_all() -> None:
    def shown(target: str) -> set[str]:
        command = ["make", "--no-print-directory", target]
        return set(re.findall(r"^  ([a-z0-9-]+) ", subprocess.check_output(command, cwd=ROOT, text=True), re.MULTILINE))

    assert len(shown("help")) <= 15
    assert shown("help") < shown("help-all") == TARGETS


def _runs_here(command: str) -> bool:
    unsuitable = ("--write", "--measure", "--base")  # they write files, or need a running stack or history
    return (
        set(targets(command)) != set() and set(targets(command)) <= HERE and not any(o in command for o in unsuitable)
    )


@pytest.mark.parametrize("command", sorted({command for _, command in COMMANDS if _runs_here(command)}))
def test_commands_that_need_only_the_checkout_succeed(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{command} --old-file=.venv/.synced"],
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_that_a_command_sets_exists() -> None:
    setting = re.compile(r"config set(?: --stack \w+)?(?: --secret)? (\w+)")
    keys = {found[1] for _, command in COMMANDS if (found := setting.search(command))}
    assert len(keys) > 5
    assert keys - KNOWN - BOOTSTRAP == set()


EXAMPLE = ROOT / "docs" / "onboarding" / "example"
# Words in code that look like settings but are not settings of this project.
OTHERS = {
    *("allowVolumeExpansion", "keepFiringFor", "minAvailable", "nodeSelector", "obsN", "pageBudget", "priorityClass"),
    *("reclaimPolicy", "serverTLSBootstrap"),
    # Fields of ServiceMonitors and PodMonitors.
    *(
        *convert.KNOWN,
        *convert.REFUSED,
        *endpoints.KNOWN,
        *endpoints.REFUSED,
        *endpoints.TLS_KNOWN,
        *endpoints.TLS_REFUSED,
    ),
}


def test_every_setting_that_a_page_names_exists() -> None:
    shaped = re.compile(r"(?:observability:)?([a-z]+(?:[A-Z][a-z0-9]*)+)(?:: \S+)?")
    for page in PAGES:
        found = {match[1] for name in names(page) if (match := shaped.fullmatch(name))}
        assert found - KNOWN - BOOTSTRAP - OTHERS == set(), page.name


def test_every_file_that_a_page_names_exists() -> None:
    top = {file.name for file in ROOT.iterdir() if not file.name.startswith(".")} | {".github"}
    for page in PAGES:
        for name in names(page):
            if "/" not in name or name.split("/")[0] not in top or not re.fullmatch(r"[\w./<>*-]+", name):
                continue
            pattern = re.sub(r"<[^>]*>", "*", name).rstrip("/")
            # Files of a new system exist only in the example.
            assert any(list(root.glob(pattern)) for root in (ROOT, EXAMPLE)), f"{page.name}: {name}"
