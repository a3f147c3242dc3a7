"""The program as its container runs it: with Python alone, for as long as it is told, in bounded memory."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from components.metrics.monitor_reader import files
from settings import sizes
from settings.quantities import quantity_bytes
from tests.components.metrics.monitors.api import PODS, SERVICES, Cluster, monitor
from tools.programs import eventually


@contextmanager
def run(cluster: Cluster, folder: Path) -> Generator[subprocess.Popen[str]]:
    """The program as its container runs it: from the files of the ConfigMap, with the memory of the container."""
    program = folder / "monitors"
    program.mkdir()
    for name, text in files().items():
        (program / name).write_text(text)
    variables = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "API_SERVER": cluster.url,
        "ACCOUNT": str(folder),
        "COMMON": str(folder / "common.json"),
        "JOBS": str(folder / "monitors.json"),
        "PAUSE_SECONDS": "0.1",
    }
    # Without the packages of this project.
    with subprocess.Popen(
        [
            "prlimit",
            f"--data={quantity_bytes(sizes.MEMORY['monitor-reader'])}",
            sys.executable,
            "-S",
            "-m",
            "monitors.reader",
        ],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_program_needs_only_python_and_ends_when_it_is_told(cluster: Cluster, folder: Path) -> None:
    cluster.monitors[SERVICES] = [monitor("a")]
    with run(cluster, folder) as process:
        eventually((folder / "monitors.json").exists, what="nothing is written", seconds=20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout
        assert json.loads(process.stdout.readline())["message"] == "monitors are read"


def test_no_error_ends_the_program(cluster: Cluster, folder: Path) -> None:
    """Without the container the pod would not be ready."""
    (folder / "common.json").write_text("{")
    with run(cluster, folder) as process:
        assert process.stdout
        assert "monitors are not written" in process.stdout.readline()
        (folder / "token").unlink()
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_monitors_that_are_made_to_fill_the_memory_do_not(cluster: Cluster, folder: Path) -> None:
    """The program has as much memory for data as its container. A small text is large in memory: {}, for example."""
    common = json.loads((folder / "common.json").read_text())
    units, share = sizes.monitored_endpoints(2**50)
    (folder / "common.json").write_text(json.dumps({**common, "units": units, "share": share}))
    hostile = [{}] * 350_000
    cluster.monitors[SERVICES] = [
        {"metadata": {"namespace": f"n{number}", "name": "a"}, "spec": {"endpoints": [{"relabelings": hostile}]}}
        for number in range(5)
    ]
    cluster.monitors[PODS] = [
        monitor(f"m{number}", f"n{number % 40}", path="/" + "a" * 900, params={"a": ["x" * 900] * 6})
        for number in range(2000)
    ]
    with run(cluster, folder) as process:
        assert process.stdout
        for line in process.stdout:
            found = json.loads(line)
            assert found["level"] != "error", found
            if found["message"] == "monitors are read":
                break
        assert found["monitors"] == 2005
        # Each takes two units, and all share alike.
        assert units / 2 * 0.95 < found["jobs"] <= units / 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
