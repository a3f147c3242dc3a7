"""`python -m tools.bench_bounds`: what the bounds on telemetry cost Prometheus, Loki, the agent and the gateway.

The real programs run on loopback, once without the bounds and once as deployed, with the same innocent load. The
figures are CPU time and the highest memory, so they hardly depend on what else runs.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from components.collector.shared_config import Listen
from components.metrics import prometheus_config
from local.ports import free_ports
from tools.bench_collectors import counted, cpu_seconds, most_memory, settled, span_requests, start, text
from tools.http_server import Handler, serving
from tools.programs import Server

Document = dict[str, Any]
BOUNDS = (
    *("transform/no_claims", "transform/metric_labels", "transform/span_limits", "filter/events"),
    "transform/log_limits",
)
"""Processors of agent and gateway that replace claims, cut texts and drop what is too much."""
_SCRAPE_BOUNDS = ("metric_relabel_configs", "sample_limit", "body_size_limit", *prometheus_config.LABEL_LIMITS)
NO_LIMITS: Document = {
    # 0 is no limit.
    "max_global_streams_per_user": 0,
    "max_line_size": 0,
    "max_line_size_truncate": False,
    "max_structured_metadata_size": 0,
    "reject_old_samples": False,
}
TARGETS, SERIES = 10, 2000
"""Pods that are scraped every second, and the series of each."""
_LINES = 500
"""Lines of a request."""
_LOCAL = "127.0.0.1"
Used = dict[str, tuple[float, float]]
"""Program -> CPU seconds, and MiB at most."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_bounds", description=__doc__)
    parser.add_argument("--spans", type=int, default=30_000, help="spans of a round; default: 30000")
    parser.add_argument("--lines", type=int, default=50_000, help="log lines of a round; default: 50000")
    parser.add_argument("--samples", type=int, default=600_000, help="scraped samples of a round; default: 600000")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each kind, in turn; default: 2")
    chosen = parser.parse_args(arguments)
    rounds: dict[bool, list[Used]] = {False: [], True: []}
    for _ in range(chosen.rounds):
        for bounds, found in rounds.items():
            with TemporaryDirectory(prefix="bench-") as folder, ExitStack() as running:
                found.append(_round(Path(folder), running, chosen, bounds=bounds))
    print(f"{chosen.rounds} rounds of {chosen.spans} spans, {chosen.lines} lines and {chosen.samples} samples")
    print(f"{'':<12}{'CPU s without':>14}{'with':>8}{'ratio':>7}{'MiB without':>14}{'with':>8}{'ratio':>7}")
    for program in rounds[True][0]:
        cpu = [sum(one[program][0] for one in rounds[bounds]) for bounds in (False, True)]
        memory = [max(one[program][1] for one in rounds[bounds]) for bounds in (False, True)]
        figures = f"{cpu[0]:>14.1f}{cpu[1]:>8.1f}{cpu[1] / cpu[0]:>7.2f}"
        print(f"{program:<12}{figures}{memory[0]:>14.0f}{memory[1]:>8.0f}{memory[1] / memory[0]:>7.2f}")
    return 0


def without_processors(config: str) -> str:
    """The configuration of an agent or a gateway without the bounds."""
    document: Document = yaml.safe_load(config)
    for pipeline in document["service"]["pipelines"].values():
        if "processors" in pipeline:
            pipeline["processors"] = [one for one in pipeline["processors"] if one not in BOUNDS]
    for name in BOUNDS:
        document.get("processors", {}).pop(name, None)
    if "span_metrics" in document.get("connectors", {}):
        del document["connectors"]["span_metrics"]["aggregation_cardinality_limit"]
    return json.dumps(document)


def prometheus_document(targets: Path, *, bounds: bool) -> Document:
    """The configuration of a server that scrapes the targets in a file; with the bounds of the job of pods or not."""
    document: Document = yaml.safe_load(
        prometheus_config.render(
            cluster="bench",
            scrape_interval="1s",
            evaluation_interval="1s",
            alertmanagers=[f"{_LOCAL}:9"],
            target_samples=2 * SERIES,
            trusted_namespaces=["observability"],
        )
    )
    (job,) = (one for one in document["scrape_configs"] if one["job_name"] == "pods")
    job = {key: value for key, value in job.items() if bounds or key not in _SCRAPE_BOUNDS}
    del job["kubernetes_sd_configs"]
    return document | {"scrape_configs": [job | {"file_sd_configs": [{"files": [str(targets)]}]}]}


def _round(folder: Path, running: ExitStack, load: argparse.Namespace, *, bounds: bool) -> Used:
    prometheus, address = _prometheus(folder / "prometheus", running, bounds=bounds)

    def changed(name: str, config: str) -> str:
        return config if bounds or name == "store" else without_processors(config)

    collectors = start(folder, running, limits={} if bounds else NO_LIMITS, changed=changed)
    agent = f"http://{_LOCAL}:{collectors.agent_at.http}"
    _post(f"{agent}/v1/traces", span_requests(load.spans))
    _post(f"{agent}/v1/logs", _line_requests(load.lines))
    _arrived(collectors.gateway_at, "otelcol_receiver_accepted_spans", load.spans)
    _arrived(collectors.gateway_at, "otelcol_exporter_sent_log_records", load.lines)
    # Started last, because it scrapes all the time.
    running.enter_context(prometheus)
    settled(lambda: _appended(address), load.samples)
    share = load.samples / _appended(address)
    servers = {
        "prometheus": prometheus,
        "loki": collectors.loki.server,
        "agent": collectors.agent,
        "gateway": collectors.gateway,
    }
    used = {name: (cpu_seconds(server), most_memory(server)) for name, server in servers.items()}
    return used | {"prometheus": (used["prometheus"][0] * share, used["prometheus"][1])}


def _arrived(listen: Listen, metric: str, wanted: int) -> None:
    settled(lambda: counted(listen, metric), wanted)
    if (found := counted(listen, metric)) < wanted:
        raise SystemExit(f"{metric} is {found:.0f}, not {wanted}: something is lost")


def _prometheus(folder: Path, running: ExitStack, *, bounds: bool) -> tuple[Server, str]:
    """A server that is not yet started, with something to scrape, and its URL."""
    rows = [
        f'http_requests_total{{method="GET",route="/items/{number % 50}",status="{number // 50}"}} {number}'
        for number in range(SERIES)
    ]
    page = ("\n".join(rows) + "\n").encode()

    class Metrics(Handler):
        def respond(self) -> None:
            self.answer(200, page, "text/plain; version=0.0.4")

    port = urlsplit(running.enter_context(serving(Metrics))).port
    pod = "__meta_kubernetes_pod_"
    annotations = {"scrape": "true", "port": str(port)}
    found = [
        {
            "targets": [f"{_LOCAL}:1"],
            "labels": {
                "__meta_kubernetes_namespace": "shop",
                f"{pod}name": f"till-{number}",
                f"{pod}ip": _LOCAL,
                f"{pod}phase": "Running",
                **{f"{pod}annotation_prometheus_io_{name}": value for name, value in annotations.items()},
            },
        }
        for number in range(TARGETS)
    ]
    folder.mkdir(parents=True)
    targets = folder / "targets.json"
    targets.write_text(json.dumps(found))
    (port,) = free_ports(1)
    config, url = folder / "prometheus.yml", f"http://{_LOCAL}:{port}"
    config.write_text(json.dumps(prometheus_document(targets, bounds=bounds)))
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={_LOCAL}:{port}",
    ]
    flags += prometheus_config.FLAGS
    return Server("prometheus", flags, folder, f"{url}/-/ready", {"POD_NAME": "prometheus-0"}), url


def _appended(url: str) -> float:
    page = httpx.get(f"{url}/metrics", timeout=30).text
    rows = [row for row in page.splitlines() if row.startswith("prometheus_tsdb_head_samples_appended_total{")]
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows)


def _line_requests(number: int) -> Iterator[bytes]:
    message = json.dumps({"level": "info", "message": "sold " + "x" * 150, "operation": "sell"})
    for first in range(0, number, _LINES):
        request, now = ExportLogsServiceRequest(), time.time_ns()
        resource = request.resource_logs.add()
        resource.resource.attributes.append(text("service.name", "till"))
        scope = resource.scope_logs.add()
        for index in range(first, min(first + _LINES, number)):
            line = scope.log_records.add()
            line.time_unix_nano, line.body.string_value = now + index, message
            line.attributes.extend([text("operation", "sell"), text("customer", f"customer-{index}")])
        yield request.SerializeToString()


def _post(url: str, bodies: Iterator[bytes]) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    with httpx.Client(timeout=60) as client:
        for body in bodies:
            packed = gzip.compress(body, 1)
            while (answer := client.post(url, content=packed, headers=headers)).status_code in (429, 503):
                time.sleep(0.1)  # as an SDK, while the memory limiter refuses
            answer.raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
