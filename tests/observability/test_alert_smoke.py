"""A spike of 5xx answers fires `ApiErrorRateHigh`, and its receivers are notified."""

import pytest

from tests.e2e import drill

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("drill")]
ALERT = "ApiErrorRateHigh"


def test_a_spike_of_errors_notifies_the_receivers() -> None:
    """Runs the drill, which causes the errors, waits for the alert in Prometheus, and checks the receivers."""
    found = drill.record([ALERT])
    (alert,) = [one for one in found.report["alerts"] if one["alert"] == ALERT]
    assert alert["ok"], alert["verdict"]
    assert set(alert["delivered"]) == set(alert["channels"])
    assert alert["channels"]
