"""The budgets of pages: over them only where the change makes it worse and the team asked is the check red."""

from typing import Any
from unittest.mock import Mock

import pytest

from alerting.systems import PageBudget, System
from ops.replay import budgets
from ops.replay.episodes import HOUR

WEEK = 7 * 24 * HOUR


def message(system: str, *, night: bool = False, page: bool = True) -> Mock:
    return Mock(page=page, night=night, told=Mock(firing=[Mock(labels={"system": system})]))


def verdicts(base: list[Mock], head: list[Mock], **budget: Any) -> list[tuple[str, float, float, bool, bool]]:
    found = Mock(replay=Mock(since=0, until=2 * WEEK))
    found.pairs = [Mock(base=one, head=None) for one in base] + [Mock(base=None, head=one) for one in head]
    limit = PageBudget.model_validate(budget) if budget else None
    systems = {
        "orders": System.model_validate({"title": "Orders", "telemetry": "up", "thresholds": {}, "pageBudget": limit})
    }
    return [(one.what, one.base, one.head, one.over, one.failing) for one in budgets.verdicts(found, systems)]


def test_pages_of_a_week_count_and_those_at_night_apart() -> None:
    head = [message("orders"), message("orders", night=True), message("search"), message("orders", page=False)]
    found = verdicts([message("orders")], head, perWeek=0.9, perWeekAtNight=1, enforced=True)
    assert found == [("pages", 0.5, 1.0, True, True), ("pages at night", 0.0, 0.5, False, False)]


def test_the_check_is_red_only_if_the_team_asked_and_the_change_is_to_blame() -> None:
    two = [message("orders"), message("orders")]
    assert verdicts([], two, perWeek=0) == [("pages", 0.0, 1.0, True, False)]
    assert verdicts(two, two, perWeek=0, enforced=True) == [("pages", 1.0, 1.0, True, False)]
    assert verdicts([], two) == []


def test_a_budget_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="must have perWeek or perWeekAtNight"):
        PageBudget.model_validate({"enforced": True})
