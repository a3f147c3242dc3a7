"""Which channels an alert notifies, and which inhibitions and mute windows silence it."""

import pytest

from alerting import routing
from alerting.routing import Inhibition
from ops.review.notified import muters, reach
from tests.rules.fixed_rules import RULES

ROUTING = routing.load(RULES)


def alert(name: str, *, severity: str = "warning", page: str = "false", subject: str = "depth") -> dict[str, str]:
    labels = {"severity": severity, "system": "orders", "team": "orders", "page": page, "subject": subject}
    return {"alertname": name, **labels}


def names(found: set[tuple[str, str]]) -> set[str]:
    return {source for _, source in found}


def test_only_a_paging_alert_mutes_a_paging_alert() -> None:
    alerts = {
        "Quiet": alert("Quiet", severity="critical"),
        "Loud": alert("Loud", severity="critical", page="true"),
        "Paged": alert("Paged", page="true"),
        "Unpaged": alert("Unpaged"),
    }
    assert names(muters(ROUTING, alerts, "Paged")) == {"Loud"}
    assert names(muters(ROUTING, alerts, "Unpaged")) == {"Quiet", "Loud"}
    assert muters(ROUTING, alerts, "Loud") == set()


def test_nothing_mutes_the_heartbeat_and_no_alert_mutes_itself() -> None:
    everything = Inhibition(source={"system": "orders"}, target={"system": "orders"}, equal=["system"])
    all_of_it = ROUTING.model_copy(update={"inhibitions": {"all": everything}})
    alerts = {name: alert(name) for name in ("Watchdog", "One", "Other")}

    assert muters(all_of_it, alerts, "Watchdog") == set()
    # Alertmanager lets no two alerts mute each other that both match both sides; the heartbeat is never a target.
    assert names(muters(all_of_it, alerts, "One")) == {"Watchdog"}


def test_an_alert_with_another_subject_does_not_mute() -> None:
    alerts = {"Bad": alert("Bad", severity="critical", subject="workers"), "Other": alert("Other")}
    assert muters(ROUTING, alerts, "Other") == set()


@pytest.mark.parametrize(
    ("labels", "on", "expected"),
    [
        (alert("A", severity="info"), True, ("nights", "weekends")),
        (alert("A", severity="info", page="true"), True, ()),
        (alert("A", severity="info"), False, ()),
        (alert("A"), True, ()),
        (alert("Watchdog", severity="info"), True, ()),
    ],
)
def test_mute_windows_silence_only_alerts_without_a_page(
    labels: dict[str, str], on: bool, expected: tuple[str, ...]
) -> None:
    assert reach(ROUTING, labels, repeat="4h", mute_windows=on).mute == expected


def test_notifications_are_repeated_by_severity() -> None:
    repeats = {
        severity: reach(ROUTING, alert("A", severity=severity), repeat="4h", mute_windows=True).repeat
        for severity in ("info", "warning", "critical")
    }
    assert repeats == {"info": "24h", "warning": "4h", "critical": "1h"}
    assert reach(ROUTING, alert("Watchdog"), repeat="4h", mute_windows=True).repeat == "50s"
