"""docs/onboarding.md is true: a service is observed when its files are there, and no other file is touched."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.onboarding import checkout

DRAWN = "dashboards/rendered/loyalty-overview.json"
GENERATED = (
    "README.md",
    "dashboards/rendered/",
    "rules/rendered/",
    "docs/contract.md",
    "docs/runbooks.md",
    "docs/settings.md",
)
"""Where `make generate` writes."""
LEDGER = "tools/coverage/ledger.yaml"
SUITES = (
    "tests/onboarding/inside.py",
    "tests/rules/test_rules.py::test_scenarios",
    "tests/rules/test_routing.py",
    "tests/rules/test_contract.py",
    "tests/architecture/test_runbooks.py",
    "tests/golden/test_golden.py",
    "tests/architecture/test_links.py",
    "tests/simulator/test_faults_fire_their_alerts.py::test_a_fault_fires_its_alert_alone_and_resolves",
)
"""What `make unit` runs of it; of the suites that go through all alerts, the cases of the new ones."""
CASES = "Loyalty or loyalty or inside or up-local or up-production or accepts or every or contract"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A checkout with the example's files, and the files that are generated from them."""

    folder: Path
    before: dict[str, str]
    """Digests of all files."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("checkout")
    checkout.copy(folder)
    before = checkout.hashes(folder)
    names = checkout.added(folder)
    assert not names & set(before), "the example replaces a file"
    shown = checkout.python(folder, "-m", "tools.generate")
    drawn = {line.removesuffix(": written") for line in shown.splitlines()}
    assert DRAWN in drawn
    assert all(name.startswith(GENERATED) for name in drawn)
    after = checkout.hashes(folder)
    assert {name for name, digest in after.items() if before.get(name) != digest} == names | drawn
    return Copy(folder=folder, before=after)


def changed(copy: Copy) -> set[str]:
    """Files of the checkout that are no longer as they were."""
    now = checkout.hashes(copy.folder)
    return {name for name, digest in copy.before.items() if now.get(name) != digest}


@pytest.mark.nightly  # every test about rules and dashboards, in a copy
def test_everything_about_it_is_right_and_no_component_is_touched(copy: Copy) -> None:
    shown = checkout.python(copy.folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CASES, *SUITES)
    assert " passed" in shown
    assert changed(copy) == set()


def test_a_drill_knows_its_faults_and_channels(copy: Copy) -> None:
    shown = checkout.python(copy.folder, "-m", "ops", "fire-alerts", "--dry-run", "--system", "loyalty")
    rows = [line for line in shown.splitlines() if "Loyalty" in line and "simulated series" in line]
    assert len(rows) == 2
    assert "payload of LoyaltyLedgerLagHigh for platform-slack (slack):" in shown
    assert "oncall-pagerduty" in shown
    assert "platform-slack" in shown


def test_the_ledger_is_written_by_its_command_and_nothing_else_changes(copy: Copy) -> None:
    write = "from tools.coverage import evidence, ledger; ledger.write(evidence.counts(evidence.collect()))"
    checkout.python(copy.folder, "-c", write)
    assert "LoyaltyLedgerLagHigh: {" in (copy.folder / LEDGER).read_text()
    assert changed(copy) == {LEDGER}


def test_without_its_route_case_the_gate_is_red(copy: Copy) -> None:
    """The copy proves something only if it can fail."""
    (copy.folder / "tests/rules/routes/loyalty.yaml").write_text("[]")
    command = "from tools.coverage import evidence; print(*evidence.gaps(evidence.collect()), sep='\\n')"
    gaps = checkout.python(copy.folder, "-c", command)
    assert "LoyaltyLedgerLagHigh: route: no case" in gaps
    assert "route {'system': 'loyalty'}, also {'page': 'true'}: no case" in gaps
