"""Which monitors are skipped, each with the field that is the reason."""

from typing import Any

import pytest

from tests.components.metrics.monitors.cases import POD, SERVICE, reason


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [
        ({"basicAuth": {"username": {"name": "a", "key": "b"}}}, "basicAuth"),
        ({"authorization": {"credentials": {"name": "a", "key": "b"}}}, "authorization"),
        ({"bearerTokenSecret": {"name": "a", "key": "b"}}, "bearerTokenSecret"),
        ({"oauth2": {"tokenUrl": "https://a"}}, "oauth2"),
        ({"bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}, "bearerTokenFile"),
        ({"proxyUrl": "http://a"}, "proxyUrl"),
        ({"proxyFromEnvironment": True}, "proxyFromEnvironment"),
        ({"tlsConfig": {"ca": {"secret": {"name": "a", "key": "b"}}}}, "tlsConfig.ca"),
        ({"tlsConfig": {"caFile": "/etc/passwd"}}, "tlsConfig.caFile"),
        ({"tlsConfig": {"keySecret": {"name": "a", "key": "b"}}}, "tlsConfig.keySecret"),
        ({"invented": 1}, "invented"),
        ({"port": "a|b"}, "port"),
        ({"port": 1}, "port"),
        ({"targetPort": [1]}, "targetPort"),
        ({"path": "metrics"}, "path"),
        ({"path": "/metrics?a=b"}, "path"),
        ({"scheme": "file"}, "scheme"),
        ({"params": {"": ["a"]}}, "params"),
        ({"params": {"a": "b"}}, "params.a"),
        ({"params": ["a"]}, "params"),
        ({"interval": "5m"}, "interval"),
        ({"interval": "soon"}, "interval"),
        ({"interval": "15s", "scrapeTimeout": "31s"}, "scrapeTimeout"),
        ({"honorLabels": "yes"}, "honorLabels"),
        ({"tlsConfig": {"minVersion": "TLS13", "maxVersion": "TLS12"}}, "tlsConfig.minVersion"),
        ({"tlsConfig": {"serverName": "a b"}}, "tlsConfig.serverName"),
    ],
)
def test_an_endpoint_that_cannot_be_is_skipped_with_its_field(endpoint: dict[str, Any], field: str) -> None:
    assert reason(SERVICE, endpoint).startswith(f"endpoints[0].{field}:")
    if "targetPort" not in endpoint:
        assert reason(POD, endpoint).startswith(f"podMetricsEndpoints[0].{field}:")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"attachMetadata": {"node": True}}, "attachMetadata"),
        ({"scrapeClass": "a"}, "scrapeClass"),
        ({"invented": {"a": 1}}, "invented"),
        ({"selector": {"matchLabels": {"a": "b)|(.*"}}}, "selector.matchLabels.a"),
        ({"selector": {"matchLabels": {"a b": "c"}}}, "selector.matchLabels"),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
            "selector.matchExpressions[0].operator",
        ),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "selector.matchExpressions[0].values"),
        ({"selector": {"matchExpressions": [{"operator": "Exists"}]}}, "selector.matchExpressions[0]"),
        ({"namespaceSelector": {"matchNames": ["A"]}}, "namespaceSelector.matchNames[0]"),
        ({"sampleLimit": -1}, "sampleLimit"),
        ({"sampleLimit": True}, "sampleLimit"),
        ({"sampleLimit": 2**64}, "sampleLimit"),
        ({"bodySizeLimit": "much"}, "bodySizeLimit"),
        ({"targetLabels": ["1a"]}, "targetLabels[0]"),
        ({"targetLabels": "a"}, "targetLabels"),
        ({"jobLabel": "a b"}, "jobLabel"),
        ({"scrapeProtocols": ["a"]}, "scrapeProtocols"),
        ({"scrapeProtocols": ["PrometheusProto", "PrometheusProto"]}, "scrapeProtocols"),
        ({"endpoints": {}}, "endpoints"),
    ],
)
def test_a_spec_that_cannot_be_is_skipped_with_its_field(spec: dict[str, Any], field: str) -> None:
    assert reason(SERVICE, {}, **spec).startswith(f"{field}:")
