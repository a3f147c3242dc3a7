"""Numbered lines are written all the time while an agent, a gateway and Loki die and come back: none is lost."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.collector.pipeline import log_pipeline, write
from tools.programs import eventually

RATE, BATCH = 200, 20
"""Lines a second, and at once."""


class _Writer(threading.Thread):
    """Writes numbered lines until it is stopped, and rotates its file as the kubelet does."""

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True)
        self.file, self.written, self.rotated = file, 0, 0
        self.rotate = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(BATCH / RATE):
            if self.rotate.is_set():
                self.rotated += 1
                self.file.rename(self.file.with_name(f"0.log.20261121-12000{self.rotated}"))
                self.rotate.clear()
            write(self.file, *(f"line {self.written + i}" for i in range(BATCH)))
            self.written += BATCH


def test_no_line_is_lost_when_agent_gateway_or_loki_restart(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with log_pipeline(tmp_path) as pipeline:
        writer = _Writer(pipeline.file())
        writer.start()

        def progress(what: str) -> None:
            goal = writer.written + BATCH
            eventually(lambda: f"line {goal}" in pipeline.sink.bodies(), seconds=60, what=f"no lines after {what}")

        progress("the start")
        for how in (signal.SIGKILL, signal.SIGTERM):
            pipeline.agent.end(how)
            writer.rotate.set()
            eventually(lambda: not writer.rotate.is_set(), seconds=10, what="the file is not rotated")
            pipeline.agent.start()
            progress(f"{how.name} of the agent")
            pipeline.gateway.end(how)
            pipeline.gateway.start()
            progress(f"{how.name} of the gateway")
        pipeline.sink.stop()
        away = writer.written + RATE
        eventually(lambda: writer.written >= away, seconds=30, what="the writer stands")
        # Loki is away, and the gateway, whose queue now holds lines, dies too.
        pipeline.gateway.end(signal.SIGKILL)
        pipeline.gateway.start()
        pipeline.sink.status = 503
        pipeline.sink.start()
        eventually(lambda: pipeline.sink.refused >= 2, seconds=60, what="nothing is tried again")
        pipeline.sink.status = 200
        progress("Loki's return")
        writer.ended.set()
        writer.join()
        lines = {f"line {number}" for number in range(writer.written)}
        eventually(lambda: lines <= set(pipeline.sink.bodies()), seconds=60, what="lines are lost")
        counts = Counter(pipeline.sink.bodies())

    assert set(counts) == lines
    repeated = sum(counts.values()) - len(lines)
    record_property("lines", len(lines))
    record_property("repeated", repeated)
    # What was in flight at four kills: a request or two of each, not all over again.
    assert repeated < len(lines) / 2
