"""The volumes that settings lead to are those that the program claims."""

from collections import Counter
from collections.abc import Callable

import pytest

from settings.quantities import quantity_bytes
from settings.volumes import volumes
from tests.eks.account import values_of
from tests.mock_engine import Recorded


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_a_stack_claims_its_volumes(program: Callable[..., Recorded], stack: str) -> None:
    recorded = program(stack)
    claimed = Counter[int]()
    for one in recorded.pods:
        for claim in one.inputs["spec"].get("volumeClaimTemplates", []):
            claimed[quantity_bytes(claim["spec"]["resources"]["requests"]["storage"])] += one.inputs["spec"]["replicas"]
    for one in recorded.of("PersistentVolumeClaim"):
        claimed[quantity_bytes(one.inputs["spec"]["resources"]["requests"]["storage"])] += 1
    expected = Counter[int]()
    for one in volumes(values_of(stack)).values():
        expected[one.bytes] += one.number
    assert claimed == expected


def test_a_grafana_of_others_has_no_volume_of_the_stack() -> None:
    values = values_of("staging")
    assert volumes(values).keys() - volumes(values.model_copy(update={"grafana": False})).keys() == {"Grafana"}
