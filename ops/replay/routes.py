"""Who would have been notified of recorded alerts, computed by Alertmanager's own code in virtual time.

The program is local/tools/replay-routes. Its Alertmanager is the deployed version (settings/versions.py).
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.toolchain import tool
from ops.errors import OpsError
from ops.replay.episodes import Episode

PROGRAM = "replay-routes"


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message to one receiver."""

    at: int
    """Milliseconds since 1970."""
    receiver: str
    kind: str
    """Such as `slack`, `pagerduty`, `email` or `webhook`."""
    group: Mapping[str, str]
    firing: Sequence[Episode]
    resolved: Sequence[Episode]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its alerts, sorted."""
        return tuple(sorted({episode.name for episode in (*self.firing, *self.resolved)}))


def notifications(config: str, episodes: Sequence[Episode], *, until: int) -> list[Notification]:
    """The notifications of alerts by this alertmanager.yml, the first one first; `until` is the end, in milliseconds.

    Nothing is sent. All receivers accept every message, and there is one Alertmanager, which starts with the first
    alert. Raises OpsError if the configuration or an episode is refused.
    """
    with TemporaryDirectory(prefix="replay-") as folder:
        file = Path(folder) / "alertmanager.yml"
        file.write_text(config, encoding="utf-8")
        done = subprocess.run(
            [tool(PROGRAM), f"-config={file}", f"-until={until}"],
            input="".join(f"{episode.line()}\n" for episode in episodes),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode:
        raise OpsError(f"{PROGRAM}: {done.stderr.strip().removeprefix('error: ')}")
    return [_notification(json.loads(line), episodes) for line in done.stdout.splitlines()]


def _notification(line: Mapping[str, Any], episodes: Sequence[Episode]) -> Notification:
    return Notification(
        at=line["at"],
        receiver=line["receiver"],
        kind=line["kind"],
        group=line["group"],
        firing=[episodes[number] for number in line["firing"]],
        resolved=[episodes[number] for number in line["resolved"]],
    )
