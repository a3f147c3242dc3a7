"""The declared reasons why a selector may find nothing."""

from pathlib import Path

import pytest

from ops.environment import load
from ops.errors import OpsError
from ops.queries import quiet_selectors, rule_queries
from ops.queries.check_queries import chosen_dashboards, stack_rules
from ops.queries.grafana_interpolation import Window, builtins, replaced
from ops.queries.quiet_selectors import Quiet, Selector

OWN = builtins(Window(start=0, end=3600), scrape_interval=15, interval=15)


def test_the_declared_reasons_are_read_from_both_files() -> None:
    quiet = quiet_selectors.load()
    assert quiet.whole(rule_queries.promql_selectors("jq_jobs_failed_total")[0]) == (
        "appears with the first failed job of a queue"
    )
    assert quiet.parts(rule_queries.promql_selectors('request_count{status=~"5..", service="a"}')[0]) == {
        'status=~"5.."': "appears with the first failed request"
    }
    assert quiet.whole(rule_queries.promql_selectors("up")[0]) is None


def test_a_rule_or_a_dashboard_uses_every_declared_matcher() -> None:
    """A reason that is no longer needed would hide a later mistake."""
    texts = [one.expression for board in chosen_dashboards([]) for one in board.queries if one.source == "prometheus"]
    selectors = [one for each in stack_rules(load("local")) if each.engine == "prometheus" for one in each.selectors]
    selectors += [one for text in texts for one in rule_queries.promql_selectors(replaced(text, {}, OWN, "prometheus"))]
    quiet = quiet_selectors.load()
    used = {
        (name, part) for name in quiet.values for one in selectors if one.metric for part in parts(quiet, name, one)
    }
    assert used == {(name, part) for name, own in quiet.values.items() for part in own}


def parts(quiet: Quiet, name: str, selector: Selector) -> list[str]:
    return list(Quiet(values={name: quiet.values[name]}).parts(selector))


def test_a_wrong_file_of_reasons_is_named(tmp_path: Path) -> None:
    (tmp_path / "quiet.yaml").write_text("metrics: {}\nvalue: {}\n")
    with pytest.raises(OpsError, match=r"quiet\.yaml: value: unknown field"):
        quiet_selectors.load(tmp_path / "quiet.yaml")
