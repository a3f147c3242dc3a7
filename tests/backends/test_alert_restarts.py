"""A restart of the real Prometheus or Loki leaves a firing alert firing."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from alerting import loader
from alerting.durations import seconds
from alerting.model import Links
from alerting.resend_delay import resend_delay
from components.metrics import prometheus_config
from local.ports import free_port
from tools.programs import Server, eventually

LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
RULES = {"groups": [{"name": "g", "rules": [{"alert": "Down", "expr": "vector(1)", "for": "3s"}]}]}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_prometheus_takes_over_since_when_an_alert_is_active(tmp_path: Path, how: signal.Signals) -> None:
    address = f"127.0.0.1:{free_port()}"
    rules, config = tmp_path / "rules.yaml", tmp_path / "prometheus.yml"
    document = yaml.safe_load(
        prometheus_config.render(
            cluster="test", scrape_interval="1s", evaluation_interval="1s", alertmanagers=["127.0.0.1:9"]
        )
    )
    rules.write_text(json.dumps(RULES))  # YAML, too
    config.write_text(json.dumps(document | {"scrape_configs": [], "rule_files": [str(rules)]}))
    server = Server(
        "prometheus",
        [
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
            *prometheus_config.FLAGS,
        ],
        tmp_path,
        f"http://{address}/-/ready",
        {"POD_NAME": "prometheus-0"},
    )

    def firing() -> Any:
        answer = httpx.get(f"http://{address}/api/v1/alerts").raise_for_status().json()
        return [alert["activeAt"][:19] for alert in answer["data"]["alerts"] if alert["state"] == "firing"]

    with server:
        before = eventually(firing, what="the alert does not fire")
        server.end(how)
        server.start()
        assert eventually(firing, what="the alert does not fire again") == before


def _needed(group: dict[str, Any], rule: dict[str, Any]) -> float:
    """Seconds for which an alert must last in Alertmanager after its Loki stops."""
    three_minutes_away = 180
    return three_minutes_away + seconds(rule["for"]) + 2 * seconds(group.get("interval", "30s"))


@pytest.mark.parametrize("shortest_for", ["1m", "20m"])
def test_an_alert_of_loki_lasts_until_a_restarted_loki_fires_it_again(shortest_for: str) -> None:
    files = loader.render_loki(loader.load(), {}, LINKS)
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if "alert" in rule]
        for rule in group["rules"]:
            rule["for"] = max(rule["for"], shortest_for, key=seconds)
    delay = seconds(resend_delay({"rules.yaml": yaml.safe_dump({"groups": groups})}, "30s"))
    # Alertmanager is told an end four delays away, and the last message may be a delay and an evaluation old.
    lasts = [3 * delay - seconds(group.get("interval", "30s")) for group in groups for _ in group["rules"]]
    needed = [_needed(group, rule) for group in groups for rule in group["rules"]]
    assert lasts
    assert all(least <= most for least, most in zip(needed, lasts, strict=True))
