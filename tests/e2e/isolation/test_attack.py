"""No attack from a pod without rights has an effect on the running platform, and an innocent pod loses nothing."""

import pytest

from ops.attack.command import run
from ops.environment import load

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]


def test_no_attack_has_an_effect() -> None:
    """Shorter than `make attack`: series are judged after a minute, and no drill runs meanwhile."""
    held = dict(run(load("local"), 60, "", print))
    assert len(held) >= 15
    assert {what: why for what, why in held.items() if why} == {}
