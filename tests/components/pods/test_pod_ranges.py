"""No network policy selects all pods once their address ranges are set: the VPC CNI would list every address."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.mock_engine import Recorded

RANGES = ["10.1.0.0/16", "100.64.0.0/10"]


def peers(recorded: Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
    """Policy -> each of its peers."""
    for policy in recorded.of("NetworkPolicy"):
        spec = policy.inputs["spec"]
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, []):
                for peer in rule.get(key, []):
                    yield policy.object_name, peer


def selecting_all(recorded: Recorded) -> set[str]:
    return {name for name, peer in peers(recorded) if peer == {"namespaceSelector": {}}}


def test_ranges_replace_the_selector_of_all_pods(program: Callable[..., Recorded]) -> None:
    assert selecting_all(program("production")) == {"prometheus", "otel-agent"}
    recorded = program("production", podCidrs=str(RANGES).replace("'", '"'))
    assert selecting_all(recorded) == set()
    for app in ("prometheus", "otel-agent"):
        found = {peer["ipBlock"]["cidr"] for name, peer in peers(recorded) if name == app and "ipBlock" in peer}
        assert found >= {*RANGES}, app
