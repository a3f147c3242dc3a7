"""Two Prometheus, Loki and three Alertmanagers restart around firing alerts, with the shipped intervals.

Nobody is told twice, and nobody is told that an alert is over. It takes 20 minutes and little of the processor.
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from alerting import loader, routing
from alerting.model import Links
from components.metrics import prometheus_config
from local.ports import free_ports
from tools.http_server import Handler, serving
from tools.programs import Server, eventually
from tools.rule_tests import alertmanager, yaml_text
from tools.rule_tests.loki_server import LokiServer, loki

INTERVAL = "30s"
# Shorter than the default of 5m, so that a gap meets a flush more often.
TIMING = {"group_wait": "30s", "group_interval": "1m", "repeat_interval": "4h"}
LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
EXPECTED = {"TargetDown", "SpecCursorErrorLogBurst"}
Told = list[tuple[str, str]]
"""Alert and its status, one for each notification."""


@pytest.fixture
def told() -> Iterator[tuple[str, Told]]:
    """A URL that takes notifications, and what it was told."""
    notifications: Told = []

    class Receiver(Handler):
        def respond(self) -> None:
            alerts = json.loads(self.body())["alerts"]
            notifications.extend({(alert["labels"]["alertname"], alert["status"]) for alert in alerts})
            self.answer(200)

    with serving(Receiver) as url:
        yield url, notifications


def _alertmanagers(folder: Path, url: str) -> tuple[list[Server], list[str]]:
    document = alertmanager.document(mute_windows=False)  # whatever day it is
    document["route"] |= TIMING
    document["receivers"] = [
        {"name": one["name"], "webhook_configs": [{"url": url, "send_resolved": True}]} for one in document["receivers"]
    ]
    ports, gossip = free_ports(3), free_ports(3)
    servers: list[Server] = []
    for number in range(3):
        place = folder / f"alertmanager-{number}"
        place.mkdir()
        (place / "alertmanager.yml").write_text(yaml_text.dump(document))
        (place / routing.TEMPLATES).write_text(routing.message_templates())
        arguments = [
            f"--config.file={place / 'alertmanager.yml'}",
            f"--storage.path={place / 'data'}",
            f"--web.listen-address=127.0.0.1:{ports[number]}",
            f"--cluster.listen-address=127.0.0.1:{gossip[number]}",
            "--cluster.reconnect-timeout=5m",
            *(f"--cluster.peer=127.0.0.1:{port}" for port in gossip),
        ]
        servers.append(Server("alertmanager", arguments, place, f"http://127.0.0.1:{ports[number]}/-/ready"))
    return servers, [f"127.0.0.1:{port}" for port in ports]


def _prometheus(folder: Path, targets: list[str], rules: str) -> Server:
    folder.mkdir()
    (folder / "platform.yaml").write_text(rules)
    document: dict[str, Any] = yaml.safe_load(
        prometheus_config.render(
            cluster="test", scrape_interval=INTERVAL, evaluation_interval=INTERVAL, alertmanagers=targets
        )
    )
    away = {"targets": ["127.0.0.1:9"], "labels": {"namespace": "shop", "app": "till", "pod": "till-0"}}
    document["scrape_configs"] = [{"job_name": "pods", "static_configs": [away]}]
    document["rule_files"] = [str(folder / "platform.yaml")]
    (folder / "prometheus.yml").write_text(json.dumps(document))
    (port,) = free_ports(1)
    arguments = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *prometheus_config.FLAGS,
    ]
    return Server("prometheus", arguments, folder, f"http://127.0.0.1:{port}/-/ready", {"POD_NAME": folder.name})


def _log_errors(store: LokiServer, ended: threading.Event) -> None:
    stream = {"namespace": "speccursor", "app": "speccursor", "service": "controller"}
    while not ended.wait(2):
        now = time.time_ns()
        try:
            store.push("fake", stream, [(now + number, f"failed {number}", {"level": "ERROR"}) for number in range(4)])
        except OSError:
            continue  # Loki restarts


def _restart(server: Server, away: float) -> None:
    """As a StatefulSet does: away for some seconds, and ready for ten before the next one."""
    server.end(signal.SIGTERM)
    time.sleep(away)
    server.start()
    time.sleep(10)


@pytest.mark.nightly
def test_nobody_hears_of_rolling_restarts(
    tmp_path: Path, told: tuple[str, Told], record_property: Callable[[str, object], None]
) -> None:
    url, notifications = told
    rule_set = loader.load()
    ended = threading.Event()

    def heard() -> Told:
        return [one for one in notifications if one[0] in EXPECTED]

    with ExitStack() as running:
        alertmanagers, targets = _alertmanagers(tmp_path, url)
        for server in alertmanagers:
            running.enter_context(server)
        files = loader.render_loki(rule_set, {}, LINKS)
        (tmp_path / "logs" / "rules" / "fake").mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / "logs" / "rules" / "fake" / name).write_text(text)
        store = running.enter_context(
            loki(tmp_path / "logs", alertmanagers=targets, evaluation_interval=INTERVAL, rule_files=files)
        )
        threading.Thread(target=_log_errors, args=(store, ended), daemon=True).start()
        running.callback(ended.set)
        rules = loader.render(rule_set, {}, LINKS, interval=INTERVAL)["platform.yaml"]
        servers = [_prometheus(tmp_path / f"prometheus-{number}", targets, rules) for number in range(2)]
        for server in servers:
            running.enter_context(server)

        eventually(lambda: dict(heard()).keys() >= EXPECTED, seconds=600, what="not all alerts are told", pause=5)
        before = sorted(heard())
        _restart(store.server, away=12)
        for server in reversed(servers):
            _restart(server, away=12)
        # An alert that nobody sends again ends after at most 16 minutes, those of Prometheus after 4.
        during = len(heard()) - len(before)
        time.sleep(8 * 60)
        after = len(heard()) - len(before) - during
        for name, figure in (("told before", len(before)), ("told during", during), ("told after", after)):
            record_property(name, figure)
        assert sorted(heard()) == before
        for server in reversed(alertmanagers):
            _restart(server, away=5)
        time.sleep(5 * 60)
        assert sorted(heard()) == before
        active = httpx.get(f"http://{targets[0]}/api/v2/alerts").json()
        assert {alert["labels"]["alertname"] for alert in active} >= EXPECTED
