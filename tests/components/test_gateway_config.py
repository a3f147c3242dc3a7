"""What one sender may not do to the others at a gateway."""

import yaml

from alerting.durations import seconds
from components.collector import gateway_config, shared_config
from components.collector.gateway_config import GatewayConfig

CONFIG = GatewayConfig(
    sampling_percentage=10,
    slow_trace="5s",
    decision_wait="10s",
    scrape_interval="30s",
    memory_bytes=2**29,
    storage_bytes=2**30,
    jaeger="jaeger.home.svc:4317",
    loki="http://loki.home.svc:3100/otlp",
    oldest_line_hours=168,
    services={},
    prometheus=[],
    xray_region="eu-central-1",
)


def test_spans_are_given_up_after_a_while_and_lines_only_when_loki_says_so() -> None:
    exporters = yaml.safe_load(gateway_config.render(CONFIG))["exporters"]
    longest = {
        name: one["retry_on_failure"]["max_elapsed_time"]
        for name, one in exporters.items()
        if "retry_on_failure" in one
    }
    assert longest["otlp_http/loki"] == "0s"
    assert longest["otlp_grpc/jaeger"] == longest["otlp_http/xray"] == shared_config.LONGEST_TRY
    assert 0 < seconds(shared_config.LONGEST_TRY) <= 3600


def test_span_metrics_are_counted_for_each_namespace() -> None:
    connector = yaml.safe_load(gateway_config.render(CONFIG))["connectors"]["span_metrics"]
    assert connector["dimensions"] == [{"name": "k8s.namespace.name"}]
    assert connector["resource_metrics_key_attributes"] == ["service.name", "k8s.namespace.name"]
