"""The rules as they are deployed, checked by promtool: syntax for every stack, behaviour by scenario."""

import shutil
import subprocess
from pathlib import Path

import pytest

from components import settings
from local.toolchain import tool
from rules import loader
from rules.model import Links
from tests.mock_engine import ROOT, SECRETS, STACKS, stack_config

SCENARIOS = sorted((ROOT / "tests/rules").glob("*.test.yaml"))
TEST_LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test/")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False)


def stack_settings(stack: str) -> settings.Settings:
    values = stack_config(stack) | ({} if stack == "local" else SECRETS)
    return settings.parse(values, [] if stack == "local" else list(SECRETS))


def write(files: dict[str, str], folder: Path) -> list[Path]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


@pytest.mark.parametrize("stack", STACKS)
def test_every_stacks_rules_are_accepted(stack: str, tmp_path: Path) -> None:
    result = promtool(
        "check", "rules", "--lint=all", "--lint-fatal", *write(stack_settings(stack).rule_files(), tmp_path)
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenarios(scenario: Path, tmp_path: Path) -> None:
    write(loader.render(loader.load(), {}, TEST_LINKS), tmp_path)
    shutil.copy(scenario, tmp_path)
    result = promtool("test", "rules", tmp_path / scenario.name)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_real_stacks_run_the_tested_expressions(stack: str) -> None:
    """Scenarios run on the defaults, so a stack that changes an alert's expression needs a scenario of its own."""
    deployed = stack_settings(stack)
    assert not [name for name, change in deployed.overrides.items() if change.thresholds]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [("job-queue", "> 1000", "> 999", "edge"), ("platform-telemetry", "> 0.8", ">= 0.8", "otlp_grpc/jaeger")],
)
def test_a_wrong_rule_fails_its_scenario(tmp_path: Path, file: str, right: str, wrong: str, said: str) -> None:
    """The check above is worth something only if it can fail."""
    files = loader.render(loader.load(), {}, TEST_LINKS)
    files[f"{file}.yaml"] = files[f"{file}.yaml"].replace(right, wrong)
    write(files, tmp_path)
    shutil.copy(ROOT / f"tests/rules/{file}.test.yaml", tmp_path)
    result = promtool("test", "rules", tmp_path / f"{file}.test.yaml")
    assert result.returncode == 1
    assert said in result.stdout + result.stderr
