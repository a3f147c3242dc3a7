"""Which alerts rules would have raised, computed by Prometheus' own code from what Prometheus or Loki has recorded.

The program is local/tools/replay-rules. Its Prometheus is the deployed version (settings/versions.py).
"""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from alerting import durations
from ops.replay import program
from ops.replay.episodes import Episode, parse


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A Prometheus or Loki, and the part of its data that a replay reads. Times are in milliseconds since 1970."""

    url: str
    start: int
    until: int
    interval: str
    """The server's evaluation interval, a Prometheus duration."""
    external_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels that the server adds to every alert."""
    logs: bool = False
    """The server is a Loki, and the files are its rules."""
    resend: str = "1m"
    """How often the server sends a firing alert again, a Prometheus duration."""
    data: Path | None = None
    """A captured file to read instead of the server."""
    folder: str = ""
    """Folder of the rule files on the server. With the file's name and the group's, it decides when in each interval
    Prometheus evaluates a group."""
    concurrency: int = 2
    """Number of queries at once."""
    timeout: str = "2m"
    """Longest time for one query, a Prometheus duration."""
    most_samples: int = 20_000_000
    """Most samples that one rule's expression may return over the whole time."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the replay of one rule took."""

    rule: str
    queries: int
    samples: int
    """Number of samples that the server returned."""
    seconds: float
    error: str
    """Why the rule could not be replayed; empty if it could."""


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The alerts that rules would have raised."""

    episodes: tuple[Episode, ...]
    costs: tuple[Cost, ...]

    @property
    def errors(self) -> dict[str, str]:
        """Rules that could not be replayed, with the reason."""
        return {cost.rule: cost.error for cost in self.costs if cost.error}


def raised(files: Mapping[str, str], recorded: Recorded) -> Raised:
    """The alerts that the rule files (name -> YAML) would have raised.

    Recording rules of the files are evaluated first, over the server's raw samples; other recorded series are those of
    the server. An alert that fires at the end has an end after it. Raises OpsError if a file is refused.
    """
    with _written(files) as paths:
        lines = program.documents("replay-rules", [*_arguments(recorded), *paths])
    episodes = [parse(line) for line in lines if "labels" in line]
    return Raised(
        episodes=tuple(sorted(episodes, key=lambda one: (one.starts, sorted(one.labels.items())))),
        costs=tuple(sorted((Cost(**line) for line in lines if "rule" in line), key=lambda one: one.rule)),
    )


def captured(files: Mapping[str, str], recorded: Recorded) -> str:
    """The samples that the rule files read, as OpenMetrics; NaN is a stale marker. Raises OpsError."""
    with _written(files) as paths:
        return program.output("replay-rules", [*_arguments(recorded), "-capture", *paths])


@contextmanager
def _written(files: Mapping[str, str]) -> Generator[list[Path]]:
    with TemporaryDirectory(prefix="replay-") as folder:
        paths = [Path(folder) / name for name in sorted(files)]
        for path in paths:
            path.write_text(files[path.name], encoding="utf-8")
        yield paths


def _arguments(recorded: Recorded) -> list[str]:
    return [
        f"-url={recorded.url}",
        f"-logs={str(recorded.logs).lower()}",
        f"-resend={durations.seconds(recorded.resend):g}s",
        f"-data={recorded.data or ''}",
        f"-from={recorded.start}",
        f"-until={recorded.until}",
        f"-interval={durations.seconds(recorded.interval):g}s",
        f"-labels={json.dumps(dict(recorded.external_labels))}",
        f"-folder={recorded.folder}",
        f"-concurrency={recorded.concurrency}",
        f"-timeout={durations.seconds(recorded.timeout):g}s",
        f"-max-samples={recorded.most_samples}",
    ]
