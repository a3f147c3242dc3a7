"""A spike of 5xx: `ApiErrorRateHigh` fires, and those who must know are told."""

import pytest

from tests.e2e import drill

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("drill")]
ALERT = "ApiErrorRateHigh"


def test_a_spike_of_errors_reaches_the_people() -> None:
    """By the drill itself, which causes the errors, waits for Prometheus, and asks the receivers."""
    found = drill.record([ALERT])
    (alert,) = [one for one in found.report["alerts"] if one["alert"] == ALERT]
    assert alert["ok"], alert["verdict"]
    assert set(alert["delivered"]) == set(alert["channels"])
    assert alert["channels"]
