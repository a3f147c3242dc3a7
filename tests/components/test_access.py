"""Who reads may not write: the label for reading opens no port on which a program also takes orders."""

from components.kubernetes.labels import ACCESS, CONTROL
from tests.mock_engine import Recorded

READ_ONLY = {"prometheus", "jaeger", "grafana"}
"""Prometheus has no lifecycle, admin API or receiver of samples; Jaeger's port answers queries; Grafana has a login."""


def test_each_label_opens_the_ports_of_its_apps(stack: Recorded) -> None:
    found = {ACCESS: set[str](), CONTROL: set[str]()}
    for policy in stack.of("NetworkPolicy"):
        for rule in policy.inputs["spec"].get("ingress", []):
            for peer in rule.get("from", []):
                for label in peer.get("namespaceSelector", {}).get("matchLabels", {}):
                    if label in found:
                        found[label].add(policy.object_name)
    assert found[ACCESS] <= READ_ONLY
    assert found[ACCESS] >= {"prometheus", "jaeger"}
    assert found[CONTROL] == {"loki", "alertmanager"}


def test_prometheus_takes_no_orders(stack: Recorded) -> None:
    (one,) = [pod for pod in stack.pods if pod.object_name == "prometheus"]
    assert one.pod
    arguments = " ".join(one.pod["spec"]["containers"][0]["args"])
    for flag in ("enable-lifecycle", "enable-admin-api", "enable-remote-write-receiver", "enable-otlp-receiver"):
        assert flag not in arguments
