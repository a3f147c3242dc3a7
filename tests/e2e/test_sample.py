"""The sample of alerts that `make e2e` fires is small and covers new systems and channels. Needs no cluster."""

from dataclasses import replace

import pytest

from ops.drills.plan import AlertPlan, Waits
from tests.e2e.sample import covers, sample
from tests.e2e.test_fire_alerts import ALL


def plan(alert: str, *channels: str, system: str = "billing", for_: float = 5.0, window: float = 0.0) -> AlertPlan:
    waits = Waits(scrape=5, evaluation=5, for_=for_, group_wait=1, group_interval=5)
    return AlertPlan(
        alert=alert, labels={"system": system}, channels=channels, waits=waits, default_for=for_, window=window
    )


def chosen(*plans: AlertPlan) -> set[str]:
    return {one.alert for one in sample(plans)}


def test_the_sample_covers_as_much_as_the_whole_drill_with_few_alerts() -> None:
    picked = sample(ALL)
    everything = {thing for one in ALL for thing in covers(one)}
    assert {thing for one in picked for thing in covers(one)} == everything
    assert len(picked) < len(ALL) / 3


def test_almost_every_alert_of_the_sample_is_needed() -> None:
    """Some may be spare, because a greedy choice cannot know that later alerts cover the same things."""
    picked = sample(ALL)
    everything = {thing for one in ALL for thing in covers(one)}
    spare = [
        one.alert
        for one in picked
        if {thing for other in picked if other is not one for thing in covers(other)} == everything
    ]
    assert len(spare) <= len(picked) / 4, spare


@pytest.mark.parametrize("what", ["system", "channel"])
def test_a_new_system_or_channel_is_included(what: str) -> None:
    new = plan("New", *ALL[0].channels, system=ALL[0].system, for_=3600)  # too slow to be chosen for another reason
    new = replace(new, labels={"system": "new"}) if what == "system" else replace(new, channels=("new",))
    assert "New" in {one.alert for one in sample([*ALL, new])}


def test_the_sample_has_a_log_alert_although_it_is_slow() -> None:
    assert "loki" in {one.engine for one in sample(ALL)}


def test_the_quicker_of_two_similar_alerts_is_chosen() -> None:
    assert chosen(plan("Slow", "slack", for_=60), plan("Quick", "slack")) == {"Quick"}
    assert chosen(plan("Slow", "slack", window=300), plan("Quick", "slack", for_=60)) == {"Quick"}


def test_one_alert_for_two_channels_is_chosen_instead_of_two() -> None:
    assert chosen(plan("A", "slack"), plan("B", "email"), plan("Both", "slack", "email")) == {"Both"}


def test_no_alerts_have_an_empty_sample() -> None:
    assert sample([]) == []
