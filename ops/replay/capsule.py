"""One file with what the rules read of a stretch of time: samples, and log lines, without secrets and addresses.

The file is a gzipped JSON document, so that a test can keep it. Its samples are OpenMetrics, in which NaN says that a
series has ended.
"""

import gzip
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops.clients import log_lines
from ops.clients.log_lines import Line
from ops.clients.signals import Api
from ops.errors import OpsError
from ops.replay import evaluation, rules
from ops.replay.changed import Rules
from ops.replay.deployed import Deployed
from ops.replay.episodes import HOUR
from ops.replay.evaluation import Sources, Span
from ops.replay.replay import STREAMS

LIMIT = 20_000_000
"""Most bytes for an hour."""

# Values that say where something is, or open it. Equal ones get equal replacements, so that series stay apart.
_SECRET = re.compile(
    r"""(?P<secret> \b(?:AKIA|ASIA)[A-Z0-9]{16}\b | \beyJ[\w-]+\.[\w-]+\.[\w-]+ | \bgh[pousr]_\w{36,}\b
        | \bxox[abprs]-[\w-]+ | (?<=://)[^/\s:@"]+:[^/\s:@"]+(?=@)
        | (?i:\b(?:password|passwd|secret|token|api[_-]?key|authorization)\b["']?\s*[:=]\s*["']?)
          (?:Bearer\s+)?[^\s"',}]+ )
    | (?P<mail> [\w.+-]+@[\w-]+(?:\.[\w-]+)+ )
    | (?P<address> \b(?:\d{1,3}\.){3}\d{1,3}\b | \b(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F]{0,4}\b )
    | (?P<host> \bip-\d+-\d+-\d+-\d+[\w.-]* | \b(?:[a-zA-Z0-9-]+\.){2,}(?:com|net|org|io|internal|cloud|dev)\b )""",
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """A captured stretch of time, in milliseconds since 1970."""

    since: int
    until: int
    before: int
    """How much earlier its data begin."""
    samples: str
    lines: list[Line]


class Scrubber:
    """Replaces secrets, mail and IP addresses, and names of hosts. Equal ones get equal names."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The text without them."""
        return _SECRET.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        return self._known.setdefault(match[0], f"{kind}-{len(self._known) + 1}")


def capture(commit: Deployed, sources: Sources, *, since: int, until: int, before: int) -> Capsule:
    """Reads what the commit's rules read. Raises OpsError."""
    side = Rules(commit)
    span = Span(start=since - before, until=until)
    found = rules.captured(commit.rule_files, evaluation.recorded(side, sources, span))
    scrub = Scrubber()
    lines = list(_lines(side, sources.loki, span)) if sources.loki else []
    return Capsule(
        since=since,
        until=until,
        before=before,
        samples="".join(map(scrub, found.splitlines(keepends=True))),
        lines=[
            Line(at=one.at, text=scrub(one.text), stream={name: scrub(value) for name, value in one.stream.items()})
            for one in lines
        ],
    )


def write(capsule: Capsule, file: Path) -> int:
    """Writes the capsule, and returns its bytes. Raises OpsError if it is too large or cannot be written."""
    document = asdict(capsule)
    # Without the time of now, equal data give an equal file.
    content = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
    hours = max((capsule.until - capsule.since + capsule.before) / HOUR, 1)
    if len(content) > LIMIT * hours:
        raise OpsError(f"{file} would have {len(content)} bytes; allowed: {LIMIT} for each hour")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise OpsError(f"{file} cannot be written: {error.strerror}") from error
    return len(content)


def read(file: Path) -> Capsule:
    """The capsule of a file. Raises OpsError if it is none."""
    try:
        document: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
        lines = [Line(**one) for one in document.pop("lines")]
        return Capsule(lines=lines, **document)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OpsError(f"{file} is not a captured incident: {error}; allowed: a file of `make capture`") from error


def _lines(side: Rules, loki: str, span: Span) -> list[Line]:
    api = Api("Loki", loki)
    streams = {stream for rule in side.log_alerts.values() for stream in STREAMS.findall(rule.expression)}
    start, end = span.start * 10**6, span.until * 10**6
    return [line for stream in sorted(streams) for line in log_lines.stored(api, stream, start=start, end=end)]
