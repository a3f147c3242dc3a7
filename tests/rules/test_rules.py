"""The rules as they are deployed: what they do, by scenarios that promtool runs."""

from pathlib import Path

import pytest

from alerting import loader
from settings import deployed
from settings import stack as settings
from settings.eks.secret_references import placeholder
from tests.mock_engine import ROOT, SECRETS, STACKS, stack_config
from tools.mutation import scenarios
from tools.mutation.mutants import of_expression
from tools.rule_tests import scenario_rules, yaml_text
from tools.rule_tests.promtool import rendered

SCENARIOS = sorted((ROOT / "tests/rules").glob("*.test.yaml"))


def stack_settings(stack: str) -> settings.Settings:
    values = stack_config(stack) | ({} if stack == "local" else SECRETS)
    return settings.parse(values, [] if stack == "local" else list(SECRETS))


@pytest.mark.parametrize("stack", STACKS)
def test_the_rules_that_the_programs_judge_are_those_that_are_deployed(stack: str) -> None:
    found, judged = stack_settings(stack), deployed.read(stack, placeholder)
    assert judged.prometheus == found.rule_files()
    assert judged.loki == loader.render_loki(found.rule_set, found.overrides, found.values.links)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenarios(scenario: Path, tmp_path: Path) -> None:
    result = scenario_rules.run(scenario, rendered(), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "alert", "said"),
    [
        ("job-queue", "JobQueueDepthHigh", "edge"),
        ("platform-telemetry", "CollectorQueueNearlyFull", "otlp_grpc/jaeger"),
    ],
)
def test_a_wrong_rule_fails_its_scenario(tmp_path: Path, file: str, alert: str, said: str) -> None:
    """The check above is worth something only if it can fail: at the limit itself, which is still allowed."""
    document = yaml_text.load(rendered()[f"{file}.yaml"])
    (rule,) = [one for group in document["groups"] for one in group["rules"] if one.get("alert") == alert]
    (rule["expr"],) = [text for what, text in of_expression(rule["expr"], {}) if what == "comparison 1: > -> >="]
    files = {**rendered(), f"{file}.yaml": yaml_text.dump(document)}
    result = scenario_rules.run(ROOT / f"tests/rules/{file}.test.yaml", files, tmp_path, about=alert)
    assert result.returncode == 1
    assert said in result.stdout + result.stderr


def test_every_rule_is_evaluated_by_a_scenario() -> None:
    parsed = {name: yaml_text.load(text) for name, text in rendered().items()}
    known = [one for name, document in parsed.items() for one in scenario_rules.placed(name, document)]
    files = [scenarios.read(file) for file in SCENARIOS]
    used = {str(one) for file in files for single in file.scenarios() for one in scenario_rules.needed(single, parsed)}
    assert [one.name for one in known if str(one) not in used] == []
