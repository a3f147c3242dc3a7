"""What must hold in a checkout with the files of the example; test_sixth_system.py runs it in a copy of this one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting import loader
from simulator.systems import series_files
from tests.mock_engine import ROOT, Recorded
from tests.rules.test_rules import stack_settings
from tools.coverage import evidence
from tools.rule_tests.promtool import check_rules

ALERTS = {"LoyaltyGrantFailureRateHigh", "LoyaltyLedgerLagHigh"}


def test_the_checkout_is_the_copy() -> None:
    assert (ROOT / "rules/systems/loyalty.yaml").is_file()
    assert {name for name, rule in loader.load().rules().items() if rule.labels.system == "loyalty"} == ALERTS


@pytest.mark.parametrize("stack", ["local", "staging", "production"])
def test_the_settings_accept_it_and_promtool_its_rules(stack: str, tmp_path: Path) -> None:
    rules = stack_settings(stack).rule_files()["loyalty.yaml"]
    assert rules.count("alert: Loyalty") == 2
    assert "SUCCESS" in check_rules({"loyalty.yaml": rules}, tmp_path)


@pytest.mark.parametrize("stack", ["local", "production"])
def test_the_whole_program_makes_its_resources(program: Callable[..., Recorded], stack: str) -> None:
    recorded = program(stack, serviceNamespaces='["loyalty"]')
    made = {one.name: one for one in recorded.resources}

    assert made["dashboards-loyalty"].inputs["title"] == "Loyalty"
    assert json.loads(made["dashboards-loyalty-overview"].inputs["configJson"])["uid"] == "loyalty-overview"
    assert "loyalty" in json.dumps(made["contact-points-policy"].inputs)
    budget = made["workers-loyalty-worker"]
    assert (budget.kind, budget.namespace) == ("PodDisruptionBudget", "loyalty")
    assert "LoyaltyLedgerLagHigh" in recorded.one("ConfigMap", "prometheus-rules").inputs["data"]["loyalty.yaml"]
    config: dict[str, Any] = yaml.safe_load(
        recorded.one("Secret", "alertmanager-config").inputs["stringData"]["alertmanager.yml"]
    )
    assert 'system="loyalty"' in [one["matchers"][0] for one in config["route"]["routes"] if "matchers" in one]
    exported = recorded.exports["alerts"]
    assert {name: exported[name]["channels"] for name in ALERTS} == {
        "LoyaltyGrantFailureRateHigh": ["oncall-pagerduty", "platform-slack"],
        "LoyaltyLedgerLagHigh": ["platform-slack"],
    }


def test_a_budget_is_made_only_where_its_namespace_is_listed(program: Callable[..., Recorded]) -> None:
    assert "workers-loyalty-worker" not in {one.name for one in program("production").resources}


def test_the_gate_has_a_proof_for_everything() -> None:
    sources = evidence.collect()
    assert [gap for gap in evidence.gaps(sources) if "oyalty" in gap] == []
    proofs = evidence.proofs(sources)
    assert {alert: all(proofs[alert].values()) for alert in ALERTS} == dict.fromkeys(ALERTS, True)


def test_its_series_are_served_beside_the_platforms() -> None:
    served = series_files.load().alerts
    assert served >= ALERTS | {"NodeDiskHigh"}
