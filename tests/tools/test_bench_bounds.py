"""What is measured without the bounds has none of them, and differs in nothing else."""

from pathlib import Path

import yaml

from components.collector import agent_config, gateway_config
from components.collector.agent_config import AgentConfig
from components.logs import loki_config
from components.logs.loki_config import LokiConfig
from tests.components.test_gateway_config import CONFIG
from tools import bench_bounds

AGENT = AgentConfig(
    namespace="a", app="otel-agent", trace_gateways=["g:4317"], log_gateway="g:4317", memory_bytes=2**28
)
RENDERED = {"gateway": gateway_config.render(CONFIG), "agent": agent_config.render(AGENT)}


def test_collectors_lack_the_bounds_and_nothing_else() -> None:
    removed: set[str] = set()
    for text in RENDERED.values():
        deployed, without = yaml.safe_load(text), yaml.safe_load(bench_bounds.without_processors(text))
        removed |= deployed["processors"].keys() - without["processors"].keys()
        for name, pipeline in deployed["service"]["pipelines"].items():
            left = [one for one in pipeline.get("processors", []) if one not in bench_bounds.BOUNDS]
            assert without["service"]["pipelines"][name].get("processors", []) == left
        assert without["exporters"] == deployed["exporters"]
    assert removed == {*bench_bounds.BOUNDS}, "a bound of this name is not deployed"


def test_prometheus_lacks_the_bounds_of_a_scrape_and_nothing_else(tmp_path: Path) -> None:
    with_, without = (bench_bounds.prometheus_document(tmp_path, bounds=bounds) for bounds in (True, False))
    jobs = [one.pop("scrape_configs")[0] for one in (with_, without)]
    assert with_ == without
    assert jobs[0].keys() - jobs[1].keys() == {
        *("metric_relabel_configs", "sample_limit", "body_size_limit"),
        *("label_limit", "label_name_length_limit", "label_value_length_limit"),
    }
    assert jobs[1].items() <= jobs[0].items()


def test_loki_has_each_limit_that_is_left_out() -> None:
    config = LokiConfig(
        s3=None,
        replicas=1,
        retention="30d",
        memory_bytes=2**29,
        cluster="a",
        evaluation_interval="1m",
        rule_files={},
        grafana_url="http://g",
        alertmanagers=["a:9093"],
        peers="p:7946",
    )
    deployed = yaml.safe_load(loki_config.render(config))["limits_config"]
    assert {key for key, value in bench_bounds.NO_LIMITS.items() if deployed[key] != value} == {*bench_bounds.NO_LIMITS}
