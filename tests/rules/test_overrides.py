"""A stack file is its owner's: whatever it overrides is deployed, changes what it names, and nothing else."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from alerting import expressions, loader
from alerting.disruption_budgets import BudgetOverride
from alerting.model import AlertOverride, Rule
from ops import environment
from settings import stack as settings
from tests.mock_engine import ROOT, SECRETS, STACKS
from tools.rule_tests import yaml_text
from tools.rule_tests.promtool import check_rules

REAL = ("staging", "production")
RULES = loader.load()
NUMBER = re.compile(r"(?<![\w.\"])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.\"])")


def every_kind(rule: Rule) -> dict[str, Any]:
    """An override of all that a stack can change about an alert that stays on."""
    # Little more than the default: a burn rate must stay below that of a total outage, and a share below the whole.
    thresholds = {
        name: value * 0.75 + 0.01 if name.endswith("_ratio") else value * 1.25 + 0.5
        for name, value in RULES.thresholds.get(rule.alert, {}).items()
    }
    changed: dict[str, Any] = {
        "for": "47m",
        "keepFiringFor": "43m",
        "severity": "info" if rule.labels.severity != "info" else "critical",
        "page": rule.labels.page != "true",
    }
    return changed | ({"thresholds": thresholds} if thresholds else {})


ALERTS: dict[str, dict[str, Any]] = {
    name: {"enabled": False} if number % 5 == 0 else every_kind(rule)
    for number, (name, rule) in enumerate(RULES.rules().items())
}
BUDGETS: dict[str, dict[str, Any]] = {
    name: ({"minAvailable": 4}, {"enabled": False}, {"maxUnavailable": 4})[number % 3]
    for number, name in enumerate(name for system in RULES.systems.values() for name in system.disruption_budgets)
}


def deployed(folder: Path, stack: str) -> settings.Settings:
    """What a checkout deploys to a stack."""
    values = environment.load(stack, root=folder).values
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    secrets = SECRETS if stack in REAL else {}
    return settings.parse(texts | secrets, list(secrets))


def overridden(folder: Path, stack: str, overrides: Mapping[str, Any]) -> settings.Settings:
    """What a stack deploys whose file has these values, too."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    file = folder / f"Pulumi.{stack}.yaml"
    document = yaml_text.load((ROOT / file.name).read_text())
    document["config"] |= {f"observability:{key}": value for key, value in overrides.items()}
    file.write_text(yaml_text.dump(document))
    return deployed(folder, stack)


def rendered(found: settings.Settings) -> dict[str, dict[str, Any]]:
    """Alert -> rule of the stack, as it is written; alerting.counting turns counts into what Prometheus gets."""
    written = loader.render(found.rule_set, found.overrides, found.values.links, interval=None)
    log_files = loader.render_loki(found.rule_set, found.overrides, found.values.links)
    texts = (*written.values(), *log_files.values())
    rules = [rule for text in texts for group in yaml_text.load(text)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def test_the_overrides_here_are_of_every_kind() -> None:
    def names(model: type[AlertOverride | BudgetOverride]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    assert {key for one in ALERTS.values() for key in one} == names(AlertOverride)
    assert {key for one in BUDGETS.values() for key in one} == names(BudgetOverride)
    assert {RULES.rules()[name].engine for name, one in ALERTS.items() if "thresholds" in one} == {"prometheus", "loki"}


@pytest.mark.parametrize("stack", REAL)
def test_overrides_of_every_kind_are_deployed(stack: str, tmp_path: Path) -> None:
    found = overridden(tmp_path, stack, {"alertOverrides": ALERTS, "disruptionBudgets": BUDGETS})
    rules = rendered(found)
    assert set(rules) == {name for name, change in ALERTS.items() if change != {"enabled": False}}
    for name, rule in rules.items():
        change, default = ALERTS[name], RULES.rules()[name]
        assert (rule["for"], rule["keep_firing_for"]) == ("47m", "43m"), name
        assert rule["labels"]["severity"] == change["severity"] != default.labels.severity, name
        assert rule["labels"]["page"] == str(change["page"]).lower() != default.labels.page, name
        for value in change.get("thresholds", {}).values():
            assert expressions.occurrences(rule["expr"], value) == 1, name
    budgets = found.disruption_budgets.items()
    kept = {
        name: one.model_dump(by_alias=True, include={"min_available", "max_unavailable"}, exclude_none=True)
        for name, one in budgets
    }
    assert kept == {name: change for name, change in BUDGETS.items() if change != {"enabled": False}}
    check_rules(found.rule_files(), tmp_path / "rules")


def test_an_override_of_one_alert_changes_no_other(tmp_path: Path) -> None:
    name = next(name for name, change in ALERTS.items() if "thresholds" in change)
    before = rendered(overridden(tmp_path, "staging", {"alertOverrides": {}}))
    after = rendered(overridden(tmp_path, "staging", {"alertOverrides": {name: ALERTS[name]}}))
    assert {alert for alert in before.keys() | after.keys() if before.get(alert) != after.get(alert)} == {name}
    assert before[name]["annotations"] == after[name]["annotations"]


@pytest.mark.parametrize("stack", STACKS)
def test_a_threshold_of_a_stack_changes_only_the_number(stack: str) -> None:
    """Scenarios run on the defaults; so they prove the expression of each stack, except where its limit is."""
    found = deployed(ROOT, stack)
    for name, rule in rendered(found).items():
        change = found.overrides.get(name, AlertOverride())
        if change.thresholds:
            assert NUMBER.sub("N", rule["expr"]) == NUMBER.sub("N", RULES.rules()[name].expr), name
        elif name != "AlertsOnMissingMetrics":  # reads what is recorded for it
            assert rule["expr"] == RULES.rules()[name].expr, name
