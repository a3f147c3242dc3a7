"""Runs beside Prometheus: writes the cluster's ServiceMonitors and PodMonitors as jobs into a file that it loads.

Needs only Python. Lists the monitors every PAUSE_SECONDS and replaces the file only if it changes. While the API server
does not answer, the file stays. A cluster without these kinds of objects has no monitors, until it has.

Environment: API_SERVER (URL; by default what Kubernetes sets for pods), ACCOUNT (folder of the service account), COMMON
(JSON of convert.Common), JOBS (the file), PAUSE_SECONDS.
"""

import filecmp
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from . import convert
from .api_server import ApiServer, UnreadableError
from .convert import Common, Job, Monitor
from .fields import SkippedError
from .shares import Shares
from .targets import POD, SERVICE

RESOURCES = {SERVICE: "servicemonitors", POD: "podmonitors"}
"""Kind of monitor -> its resource. The order counts where a namespace wants more than its share."""
# Whoever can write monitors would else fill the log.
_LINES = 100


class Skipped(NamedTuple):
    """Why a monitor is skipped. An exception would keep the object of the monitor in memory."""

    reason: str
    endpoint: int | None = None


class Reader:
    """Keeps the file, and says once what changed."""

    def __init__(self, api: ApiServer, common: Path, file: Path) -> None:
        self._api = api
        self._common = common
        self._file = file
        self._skipped: dict[Monitor, Skipped] = {}
        self._said: dict[str, Any] = {}
        self._problem = ""

    def once(self) -> bool:
        """Reads all monitors; False if that fails, and then nothing changes. Raises OSError if it cannot write."""
        try:
            common = Common(**json.loads(self._common.read_text(encoding="utf-8")))
            jobs, skipped, read = self._read(common)
        except UnreadableError as error:
            if str(error) != self._problem:
                _say("error", "monitors cannot be read, the last ones stay", reason=str(error))
            self._problem = str(error)
            return False
        if self._problem:
            _say("info", "monitors can be read again")
        self._problem = ""
        self._write(jobs)
        self._tell(skipped)
        counts = {"monitors": read, "skipped": len(skipped), "jobs": len(jobs)}
        if counts != self._said:
            _say("info", "monitors are read", **counts)
        self._said = counts
        return True

    def _read(self, common: Common) -> tuple[list[Job], dict[Monitor, Skipped], int]:
        shares = Shares(common.units, common.share, common.listed)
        skipped: dict[Monitor, Skipped] = {}
        read: set[Monitor] = set()
        for kind, resource in RESOURCES.items():
            for document in self._api.monitors(resource):
                monitor = Monitor(kind, "", "")
                try:
                    monitor = convert.identity(kind, document)
                    # Prometheus does not start with two jobs of one name.
                    again = monitor in read
                    read.add(monitor)
                    if not again and (reason := shares.add(monitor, convert.jobs(monitor, document, common))):
                        skipped[monitor] = Skipped(reason)
                except SkippedError as error:
                    skipped[monitor] = Skipped(error.reason, error.endpoint)
                except RecursionError:
                    skipped[monitor] = Skipped("is nested too deep")
                del document  # before the next page is read
        jobs, rest = shares.kept()
        return jobs, skipped | {monitor: Skipped(reason) for monitor, reason in rest.items()}, len(read)

    def _write(self, jobs: list[Job]) -> None:
        """In parts: all of it at once would be large in memory."""
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(b'{"scrape_configs": [')
            for number, job in enumerate(jobs):
                file.write((b",\n" if number else b"\n") + job.text)
            file.write(b"\n]}\n")
        if self._file.is_file() and filecmp.cmp(new, self._file, shallow=False):
            new.unlink()
        else:
            new.replace(self._file)

    def _tell(self, skipped: dict[Monitor, Skipped]) -> None:
        lines = [
            ("warning", "monitor is skipped", monitor, why)
            for monitor, why in skipped.items()
            if self._skipped.get(monitor) != why
        ]
        lines += [
            ("info", "monitor is not skipped any more", *one) for one in self._skipped.items() if one[0] not in skipped
        ]
        for level, message, monitor, why in lines[:_LINES]:
            endpoint = {} if why.endpoint is None else {"endpoint": why.endpoint}
            reason = {"reason": why.reason} if level == "warning" else {}
            _say(level, message, **vars(monitor), **endpoint, **reason)
        if len(lines) > _LINES:
            _say("warning", "more monitors changed", count=len(lines) - _LINES)
        self._skipped = skipped


def _say(level: str, message: str, **more: object) -> None:
    print(json.dumps({"level": level, "message": message, **more}), flush=True)  # noqa: T201


def _api_server() -> str:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def main() -> None:
    """Reads until it is told to end. No error ends it: without it, the pod would not be ready, and Prometheus lost."""
    # The first process of a container ignores signals that it does not handle.
    ended = threading.Event()

    def end(_signal: int, _frame: object) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    account = Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
    api = ApiServer(os.environ.get("API_SERVER") or _api_server(), account)
    reader = Reader(api, Path(os.environ["COMMON"]), Path(os.environ["JOBS"]))
    while not ended.is_set():
        try:
            reader.once()
        except Exception as error:
            _say("error", "monitors are not written, the last ones stay", reason=repr(error)[:300])
        ended.wait(float(os.environ.get("PAUSE_SECONDS", "30")))
    sys.exit(0)


if __name__ == "__main__":
    main()
