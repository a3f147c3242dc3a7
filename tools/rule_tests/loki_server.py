"""One real Loki for tests: the deployed configuration without the parts that need a cluster, in its own folder."""

import json
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.logs import loki_config
from local.ports import free_port
from tools.programs import Server
from tools.rule_tests import yaml_text

Line = tuple[int, str, dict[str, str]]
"""Unix time in nanoseconds, text, structured metadata."""


@dataclass(frozen=True)
class LokiServer:
    """A running Loki. Every test uses its own tenant, so that none sees the lines of another."""

    url: str
    server: Server

    def push(self, tenant: str, stream: dict[str, str], lines: Iterable[Line]) -> None:
        """Store lines of one stream, oldest first."""
        values = [[str(at), text, metadata] for at, text, metadata in lines]
        for start in range(0, len(values), 5000):
            body = {"streams": [{"stream": stream, "values": values[start : start + 5000]}]}
            self.ask("/loki/api/v1/push", tenant, json.dumps(body).encode())

    def query(self, tenant: str, expression: str, at: float) -> list[dict[str, Any]]:
        """The result of an expression at that Unix time, as the ruler gets it: series with `metric` and `value`."""
        parameters = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
        return json.loads(self.ask(f"/loki/api/v1/query?{parameters}", tenant))["data"]["result"]

    def ask(self, path: str, tenant: str, body: bytes | None = None) -> bytes:
        """Send a request and return the answer's body. Raises HTTPError unless it succeeds."""
        headers = {"X-Scope-OrgID": tenant, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.read()


@contextmanager
def loki(  # noqa: PLR0913 -- each is an option
    folder: Path,
    *,
    alertmanagers: Sequence[str] = ("127.0.0.1:9",),
    evaluation_interval: str = "1m",
    memory_bytes: int = 512 * 1024 * 1024,
    any_age: bool = True,
    tenants: bool = True,
    rule_files: Mapping[str, str] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Generator[LokiServer]:
    """Runs a Loki that reads rules from folder/rules/<tenant>/.

    With `any_age` it keeps lines of any age in memory, and `tenants` apart; otherwise it has the deployed limits, but
    for `limits`, and one tenant.
    """
    port = free_port()
    config = folder / "loki.yaml"
    document = yaml_text.load(
        loki_config.render(
            loki_config.LokiConfig(
                s3=None,
                replicas=1,
                retention="30d",
                memory_bytes=memory_bytes,
                cluster="test",
                evaluation_interval=evaluation_interval,
                rule_files=rule_files or {},
                grafana_url="http://grafana.test",
                alertmanagers=alertmanagers,
                peers="unused:7946",
            )
        )
    )
    _to_one_folder(document, folder, port)
    if any_age:
        _accept_any_age(document)
        document["auth_enabled"] = tenants
    document["limits_config"] |= limits or {}
    config.write_text(yaml_text.dump(document).replace(loki_config.DATA + "/", f"{folder}/data/"))
    url = f"http://127.0.0.1:{port}"
    with Server("loki", ["-target=all", f"-config.file={config}"], folder, f"{url}/ready") as server:
        yield LokiServer(url, server)


def _to_one_folder(document: dict[str, Any], folder: Path, port: int) -> None:
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    document["server"] |= {
        "http_listen_address": "127.0.0.1",
        "http_listen_port": port,
        "grpc_listen_address": "127.0.0.1",
        "grpc_listen_port": free_port(),
    }
    document["common"] |= {
        "path_prefix": f"{folder}/data",
        "instance_addr": "127.0.0.1",
        "ring": {"kvstore": {"store": "inmemory"}},
    }
    document["ruler"]["storage"]["local"]["directory"] = str(rules)
    document["ruler"]["poll_interval"] = "1s"


def _accept_any_age(document: dict[str, Any]) -> None:
    """Accept old lines, keep them in memory, and query them there. Tenants keep tests apart."""
    document["limits_config"] |= {"reject_old_samples": False, "max_query_lookback": "0s", "retention_period": "0s"}
    document["ingester"] |= {"max_chunk_age": "876000h", "chunk_idle_period": "72h", "flush_check_period": "1h"}
    document["querier"] = {"query_ingesters_within": "0s"}
