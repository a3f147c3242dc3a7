"""What docs/cluster-metrics.md says is here in place of an alert of kube-prometheus-stack is here."""

import re

from alerting import loader
from tests.mock_engine import ROOT

PAGE = (ROOT / "docs/cluster-metrics.md").read_text()


def test_every_alert_of_the_comparison_exists() -> None:
    table = PAGE.partition("| its alerts | here |")[2].partition("| its dashboards | here |")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`(…?[A-Z][A-Za-z]+)`", row[1])}
    known = set(loader.load().rules())
    assert len(rows) > 25
    assert {name for name in named if not any(one.endswith(name.removeprefix("…")) for one in known)} == set()


def test_every_alert_of_the_cluster_is_in_the_comparison_or_the_text() -> None:
    own = {name for name, rule in loader.load().rules().items() if rule.labels.system == "kubernetes"}
    shown = re.sub(r"`(\w+)BudgetBurnFast`, `…BudgetBurnSlow`", r"`\1BudgetBurnFast`, `\1BudgetBurnSlow`", PAGE)
    assert {name for name in own if f"`{name}`" not in shown} == set()
