"""A Prometheus with a recorded evening: queues, orders, and the alerts that it raised."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.ports import free_port
from local.toolchain import tool
from ops.replay.episodes import HOUR, MINUTE, SECOND
from settings.apps import LOKI_TENANT as TENANT
from tests.ops.review.edited import Copy
from tools.programs import Server
from tools.rule_tests.loki_server import loki

START = 1_759_953_620 * SECOND
"""8 October 2025, 20:00:20 UTC; the six hours that follow end at night."""
UNTIL = START + 6 * HOUR
STEP = 15 * SECOND
# Minutes in which each queue's depth is above 100.
HIGH = {"mail": [(60, 120)], "print": [(90, 92)], "flaps": [(200, 210), (215, 230)], "open": [(300, 400)]}
# Minutes in which a queue has samples at all, if not in all of them.
SEEN = {"gone": (0, 100)}
ORDERS = {range(60, 70): 1500, range(180, 240): 3000}
"""Minutes -> depth of the queue of orders in them; 10 in all others."""
COUNTED = {"orders_completed_total": range(361), "orders_failed_total": range(240, 270)}
"""Counter -> minutes in which it grows, by ten with each sample."""
ERRORS = {range(30, 45): 100, range(280, 281): 40}
"""Minutes -> lines with errors of the search in each of them, which Loki has."""
# Minutes in which each alert was raised, evaluated every 30 seconds; the server starts again at 148.
RAISED = {
    "Watchdog": [(0, 148), (150, 361)],
    "OrdersNoWorkers": [(100, 148), (150, 160)],
    # Of the real rules, not of the fixed ones.
    "JobQueueNoWorkers": [(20, 30)],
}
SYSTEMS = {"Watchdog": "platform", "OrdersNoWorkers": "orders", "JobQueueNoWorkers": "job-queue"}
_OF_ORDERS = 'namespace="orders",app="worker"'


def recorded() -> str:
    """The evening, as OpenMetrics."""
    lines = ["# TYPE depth gauge"]
    for queue in (*HIGH, *SEEN):
        first, last = SEEN.get(queue, (0, 361))
        for at in range(START + first * MINUTE, START + last * MINUTE, STEP):
            minute = (at - START) / MINUTE
            high = queue in SEEN or any(low <= minute < end for low, end in HIGH[queue])
            lines.append(f'depth{{queue="{queue}"}} {150 if high else 3} {at / 1000:.3f}')
    for metric in ("up", "orders_queue_depth"):
        lines.append(f"# TYPE {metric} gauge")
        for at in range(START, UNTIL + MINUTE, STEP):
            minute = (at - START) // MINUTE
            value = next((depth for minutes, depth in ORDERS.items() if minute in minutes), 10)
            labels = f'{_OF_ORDERS},queue="a",status="PENDING"' if metric != "up" else f'{_OF_ORDERS},job="pods"'
            lines.append(f"{metric}{{{labels}}} {1 if metric == 'up' else value} {at / 1000:.3f}")
    for metric, minutes in COUNTED.items():
        lines.append(f"# TYPE {metric.removesuffix('_total')} counter")
        count = 0
        for at in range(START, UNTIL + MINUTE, STEP):
            count += 10 if (at - START) // MINUTE in minutes else 0
            lines.append(f'{metric}{{{_OF_ORDERS},job="pods",queue="a"}} {count} {at / 1000:.3f}')
    lines.append("# TYPE ALERTS gauge")
    for name, spans in RAISED.items():
        severity, page = ("info", "false") if name == "Watchdog" else ("critical", "true")
        labels = f'alertname="{name}",alertstate="firing",system="{SYSTEMS[name]}",severity="{severity}",page="{page}"'
        for first, last in spans:
            for at in range(START + first * MINUTE, START + last * MINUTE, 30 * SECOND):
                lines.append(f"ALERTS{{{labels}}} 1 {at / 1000:.3f}")
    return "\n".join([*lines, "# EOF", ""])


@dataclass(frozen=True)
class Recording:
    """The running server."""

    url: str
    folder: Path
    """Folder of its rule file always.yaml, whose alert always fires."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "recorded.txt").write_text(recorded())
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "recorded.txt", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    always = {"groups": [{"name": "queues", "interval": "2s", "rules": [{"alert": "Always", "expr": "vector(1)"}]}]}
    (folder / "always.yaml").write_text(json.dumps(always))
    (folder / "prometheus.yml").write_text(json.dumps({"rule_files": [str(folder / "always.yaml")]}))
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    url = f"http://127.0.0.1:{port}"
    with Server("prometheus", [*arguments, f"--web.listen-address=127.0.0.1:{port}"], folder, f"{url}/-/ready"):
        yield Recording(url, folder)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Loki with lines of the evening."""
    with loki(tmp_path_factory.mktemp("loki"), tenants=False) as server:
        lines = [(START, "starts", {"level": "INFO"})]
        for minutes, count in ERRORS.items():
            for minute in minutes:
                first = START + minute * MINUTE
                lines += [(first + one * MINUTE // count, "fails", {"level": "ERROR"}) for one in range(count)]
        stream = {"namespace": "search", "service": "api"}
        server.push(TENANT, stream, ((at * 10**6, text, metadata) for at, text, metadata in lines))
        yield server.url


@pytest.fixture
def head(tmp_path: Path) -> Copy:
    """A checkout of the fixed rules, which a test edits."""
    return deployable(tmp_path / "head")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The same checkout, unchanged."""
    return deployable(tmp_path_factory.mktemp("base"))


def deployable(folder: Path) -> Copy:
    """A copy of the fixed rules whose stack has a server for its e-mails."""
    copy = Copy(folder)
    copy.set("staging", "smtpSmarthost: mail.example.com:587")
    copy.set("staging", "smtpFrom: alerts@example.com")
    return copy
