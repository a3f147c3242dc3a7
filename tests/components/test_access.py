"""Who reads may not write: the label for reading opens no port on which a program also takes orders."""

from components.kubernetes.labels import ACCESS, CONTROL
from tests.mock_engine import Recorded

READ_ONLY = {"jaeger", "grafana"}
"""Jaeger's port answers queries, and Grafana has a login. The others take orders on the port of their answers."""


def test_each_label_opens_the_ports_of_its_apps(stack: Recorded) -> None:
    found = {ACCESS: set[str](), CONTROL: set[str]()}
    for policy in stack.of("NetworkPolicy"):
        for rule in policy.inputs["spec"].get("ingress", []):
            for peer in rule.get("from", []):
                for label in peer.get("namespaceSelector", {}).get("matchLabels", {}):
                    if label in found:
                        found[label].add(policy.object_name)
    assert found[ACCESS] <= READ_ONLY
    assert "jaeger" in found[ACCESS]
    assert found[CONTROL] == {"prometheus", "loki", "alertmanager"}
