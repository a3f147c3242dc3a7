"""Rules of Loki's ruler, judged by a Loki without lines, which is started for the check and ends with it.

Its ruler gets each rule, and its querier each expression. The ruler's parser alone would accept what then fails at each
evaluation: a query for log lines, a wrong regular expression in a line filter.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from alerting.checks import place
from engine.rule_checks.problem import in_rule
from local.errors import LocalError
from local.ports import free_ports
from settings.deployed import Deployed

_START_SECONDS = 60.0
"""It takes one second on an idle machine."""
_VALID = "vector(1)"
Ask = Callable[[str, bytes | None], tuple[int, str]]
"""Path and body of a request -> status and body of the answer."""


def problems(loki: Path, stacks: Sequence[Deployed], folder: Path) -> list[str]:
    """Everything that Loki refuses; `folder` is created and holds its files. Raises LocalError if it does not start."""
    files = [(place("loki", name), yaml.safe_load(text)) for one in stacks for name, text in one.loki.items()]
    groups = [(where, group) for where, file in files for group in file["groups"]]
    rules = [(where, group["name"], rule) for where, group in groups for rule in group["rules"]]
    if not rules:
        return []
    with running(loki, folder) as ask:
        # Stacks share most expressions.
        wrong = {expression: _evaluated(ask, expression) for expression in {rule["expr"] for _, _, rule in rules}}
        found: list[str] = []
        for where, group, rule in rules:
            if said := wrong[rule["expr"]]:
                found.append(in_rule(where, group, rule, "loki", said))
            # The ruler reports no template of a rule whose expression it refuses.
            if said := _loaded(ask, group, {**rule, "expr": _VALID} if said else rule):
                found.append(in_rule(where, group, rule, "loki", said))
    return found


def _evaluated(ask: Ask, expression: str) -> str:
    """Why the ruler cannot alert on an expression; empty if it can."""
    status, answer = ask("/loki/api/v1/query?" + urlencode({"query": expression}), None)
    if status != http.client.OK:
        return answer.strip()
    kind: str = json.loads(answer)["data"]["resultType"]
    return "" if kind == "vector" else f"must be an instant vector, not a {kind}"


def _loaded(ask: Ask, group: str, rule: dict[str, Any]) -> str:
    """Why the ruler does not load a rule; empty if it does."""
    body = json.dumps({"name": group, "rules": [rule]}).encode()
    status, answer = ask("/loki/api/v1/rules/checks", body)
    return "" if status == http.client.ACCEPTED else answer.strip()


@contextmanager
def running(loki: Path, folder: Path) -> Generator[Ask]:
    """Runs a Loki on loopback during the block; its files are in `folder`. Raises LocalError if it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    port, grpc_port = free_ports(2)
    (folder / "loki.yaml").write_text(json.dumps(_config(folder, port, grpc_port)))

    def ask(path: str, body: bytes | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/yaml"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [loki, "-target=all", f"-config.file={folder / 'loki.yaml'}"], cwd=folder, stdout=log, stderr=log
        )
    try:
        _wait(process, ask, folder / "log")
        yield ask
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], ask: Ask, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(ask):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LocalError(f"loki does not start, so the rules on logs are unchecked:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _is_ready(ask: Ask) -> bool:
    try:
        return ask("/ready", None)[0] == http.client.OK
    except OSError:
        return False


def _config(folder: Path, port: int, grpc_port: int) -> dict[str, Any]:
    """The least that a Loki needs to evaluate and to take rules, within a second: one member, no waiting for others."""
    address = "127.0.0.1"
    index = {"prefix": "index_", "period": "24h"}
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": address,
            "http_listen_port": port,
            "grpc_listen_address": address,
            "grpc_listen_port": grpc_port,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": address,
            "path_prefix": f"{folder}/data",
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {"from": "2024-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13", "index": index}
            ]
        },
        "storage_config": {
            "use_thanos_objstore": True,  # with it the ruler takes rules over HTTP and keeps them in a folder
            "object_store": {"filesystem": {"dir": f"{folder}/chunks"}},
        },
        "ruler": {"rule_path": f"{folder}/loaded", "enable_api": True},
        "ruler_storage": {"backend": "filesystem", "filesystem": {"dir": f"{folder}/rules"}},
        # By default, the querier looks for a scheduler only every ten seconds.
        "frontend_worker": {"frontend_address": f"{address}:{grpc_port}"},
        "ingester": {
            "lifecycler": {"join_after": "0s", "final_sleep": "0s", "min_ready_duration": "0s"},
            "wal": {"enabled": False},
        },
    }
