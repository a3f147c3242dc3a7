"""rules/contract is read strictly, and rules and dashboards read only metrics that it, or a program of ours, names."""

import shutil
from pathlib import Path

import pytest

from alerting import contract, loader
from alerting.files import RULES
from alerting.missing_metrics import names
from alerting.problems import RulesError

CONTRACTS = contract.load()
SUFFIXES = ("_bucket", "_sum", "_count")


def known(metric: str) -> bool:
    """Whether a series belongs to a metric of the contract."""
    bases = [metric, *(metric.removesuffix(suffix) for suffix in SUFFIXES if metric.endswith(suffix))]
    return any(base in one.metrics for one in CONTRACTS.values() for base in bases)


def test_every_observed_system_has_a_contract() -> None:
    systems = set(loader.load().systems)
    assert CONTRACTS.keys() <= systems
    assert {name for name, one in CONTRACTS.items() if one.metrics} == systems - {"platform"}


def test_rules_of_a_system_read_only_its_contract() -> None:
    rules = loader.load()
    for name, rule in rules.rules().items():
        if rule.labels.system == "platform" or rule.engine == "loki":
            continue
        unknown = {one for one in names(rule.expr) if not known(one) and ":" not in one}
        assert not unknown - {"ALERTS", "target_info", "up"}, f"{name} reads {sorted(unknown)}"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("type: gauge", "type: guage", "metrics.jq_queue_depth.type"),
        ("meaning: jobs accepted", "meaning: ''", "metrics.jq_jobs_submitted_total.meaning"),
        ("meaning: jobs accepted", "last_bucket: 1\n    meaning: jobs", "metrics.jq_jobs_submitted_total: last_bucket"),
        ("services:", "servces:", "servces"),
        ("[jq-server,", "[Jq Server,", "services[0]"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, old: str, new: str, problem: str) -> None:
    shutil.copytree(RULES / contract.FOLDER, tmp_path / contract.FOLDER)
    file = tmp_path / contract.FOLDER / "job-queue.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(RulesError) as caught:
        contract.load(tmp_path)
    (line,) = caught.value.problems
    assert line.startswith(f"rules/contract/job-queue.yaml: {problem}")


def test_services_belong_to_the_namespaces_of_their_system() -> None:
    found = contract.services(CONTRACTS, loader.load().systems)
    assert found["job-queue"] == ["jq-server", "jq-worker"]
    assert found["media"] == ["gateway", "ingestor", "reconciler", "sploot-cluster", "variant-generator"]
    assert found[""] == ["api"]
