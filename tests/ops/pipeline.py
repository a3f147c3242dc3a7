"""A real pipeline of processes on this machine: simulator, receiver, Prometheus and Alertmanager, with real rules."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from alerting import loader, routing
from local.ports import free_ports
from local.toolchain import tool
from tests.mock_engine import ROOT

START_TIMEOUT = 120.0
"""Seconds until all processes must be ready. On an idle machine it takes about one."""
SHORT = "250ms"
"""A short value for the waits that only the configuration decides: evaluation, `for` and `group_wait`."""


@dataclass
class Pipeline:
    """The started processes and their URLs."""

    folder: Path
    urls: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, tuple[list[str], dict[str, str]]] = field(default_factory=dict)

    def start(self, name: str, command: list[str], port: int, environment: Mapping[str, str] | None = None) -> None:
        """Start a process. `wait_ready` waits until it answers."""
        self.urls[name] = f"http://127.0.0.1:{port}"
        self.commands[name] = (command, {**os.environ, **(environment or {})})
        self.launch(name)

    def launch(self, name: str) -> None:
        """Start a process, or start it again after it was killed."""
        command, environment = self.commands[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill a process, and start it again."""
        self.processes[name].kill()
        self.processes[name].wait()
        self.launch(name)

    def wait_ready(self) -> None:
        """Wait until every process answers over HTTP."""
        deadline = time.monotonic() + START_TIMEOUT
        for name, url in self.urls.items():
            path = "/-/ready" if name.startswith(("prometheus", "alertmanager")) else "/healthz"
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(url + path).is_success:
                        break
                log = (self.folder / f"{name}.log").read_text()
                assert self.processes[name].poll() is None, f"{name} ended: {log}"
                assert time.monotonic() < deadline, f"{name} is not ready: {log}"
                time.sleep(0.1)

    def stop(self) -> None:
        """End all processes of this pipeline."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def rule_files(overrides: Mapping[str, Any]) -> dict[str, str]:
    """The project's rules as a stack with these overrides deploys them."""
    rule_set = loader.load()
    links = loader.Links(runbook_base_url="http://runbooks", dashboard_base_url="http://dashboards")
    return loader.render(rule_set, loader.overrides(overrides, rule_set), links, interval="1s")


def prometheus_config(
    folder: Path, targets: Mapping[str, list[int]], alertmanagers: list[int], overrides: Mapping[str, Any]
) -> Path:
    """Writes the rules, and a configuration that scrapes every second. `targets` maps a namespace to its ports.

    A shorter scrape interval would also shorten the timeout of a scrape, and a busy machine would lose samples.
    """
    for name, text in rule_files(overrides).items():
        (folder / name).write_text(text)
    document = {
        "global": {"scrape_interval": "1s", "evaluation_interval": SHORT, "external_labels": {"cluster": "test"}},
        "rule_files": [str(folder / "job-queue.yaml")],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port}" for port in alertmanagers]}]}]
        },
        "scrape_configs": [
            {
                "job_name": "pods",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"namespace": namespace}}
                    for namespace, ports in targets.items()
                ],
            }
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(document))
    return file


def alertmanager_config(folder: Path, receiver: int, smtp: int) -> Path:
    """Writes the project's routes with short waits; every channel leads to the receiver on these ports."""
    routes = routing.load()
    timing = routing.Timing(group_wait=SHORT, group_interval="1s", repeat_interval="5m")
    values = {
        "token": "0123456789abcdef0123456789abcdef",
        "address": "oncall@receiver.test",
        "mention": "here",
    }
    secrets = {key: values.get(form, "") for key, form in routes.forms().items()}
    for name, channel in routes.channels.items():  # a URL for each channel, as the local stack has
        urls = [key for key, form in channel.kind.keys().items() if form == "url"]
        secrets |= dict.fromkeys(urls, f"http://127.0.0.1:{receiver}/deliver/{name}")
    mail = routing.Mail(smarthost=f"127.0.0.1:{smtp}", sender="alertmanager@stack.test", require_tls=False)
    text = routing.render(
        routes,
        timing,
        secrets,
        mail=mail,
        pagerduty_url=f"http://127.0.0.1:{receiver}/deliver/pagerduty",
        mute_windows=False,
    )
    (folder / routing.TEMPLATES).write_text(routing.message_templates())
    file = folder / "alertmanager.yml"
    file.write_text(text)
    return file


@contextlib.contextmanager
def pipeline(
    folder: Path, overrides: Mapping[str, Any], *, prometheis: int = 1, alertmanagers: int = 1
) -> Iterator[Pipeline]:
    """Runs the whole pipeline. Replicas are called `prometheus-0`, `alertmanager-0` and so on."""
    started = Pipeline(folder)
    server, worker, receiver, smtp, *ports = free_ports(4 + prometheis + 2 * alertmanagers)
    web, gossip, own = ports[:alertmanagers], ports[alertmanagers : 2 * alertmanagers], ports[2 * alertmanagers :]
    python = [sys.executable, "-m"]
    try:
        data = {"RECEIVER_PORT": str(receiver), "RECEIVER_DATA": str(folder / "deliveries.jsonl")}
        data["RECEIVER_SMTP_PORT"] = str(smtp)
        started.start("receiver", [*python, "simulator.receiver"], receiver, data)
        for role, port in (("server", server), ("worker", worker)):
            environment = {"SIMULATOR_ROLE": role, "SIMULATOR_PORT": str(port)}
            started.start(f"simulator-{role}", [*python, "simulator"], port, environment)
        config = alertmanager_config(folder, receiver, smtp)
        for number, port in enumerate(web):
            command = [tool("alertmanager"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
            command += [f"--storage.path={folder / f'alertmanager-{number}'}", *_gossip(number, gossip)]
            started.start(f"alertmanager-{number}", [str(part) for part in command], port)
        config = prometheus_config(folder, {"job-queue": [server, worker]}, web, overrides)
        for number, port in enumerate(own):
            command = [tool("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
            command += [f"--storage.tsdb.path={folder / f'prometheus-{number}'}"]
            started.start(f"prometheus-{number}", [str(part) for part in command], port)
        started.wait_ready()
        yield started
    finally:
        started.stop()


def _gossip(number: int, ports: list[int]) -> list[str]:
    if len(ports) == 1:
        return ["--cluster.listen-address="]
    peers = [f"--cluster.peer=127.0.0.1:{port}" for port in ports]
    # Each replica waits `peer-timeout` for those before it. The last one must notify well within group_interval
    # (1 s here), or it notifies of a state that has ended.
    waits = ["--cluster.peer-timeout=300ms", "--cluster.gossip-interval=50ms", "--cluster.settle-timeout=2s"]
    return [f"--cluster.listen-address=127.0.0.1:{ports[number]}", *peers, *waits]
