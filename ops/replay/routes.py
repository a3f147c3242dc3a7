"""Who would have been notified of recorded alerts, computed by Alertmanager's own code in virtual time.

The program is local/tools/replay-routes. Its Alertmanager is the deployed version (settings/versions.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ops.replay import program
from ops.replay.episodes import Episode


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
        arguments = [f"-config={file}", f"-until={until}"]
        told = program.documents("replay-routes", arguments, (episode.line() for episode in episodes))
    return [_notification(one, episodes) for one in told]


def _notification(one: Mapping[str, Any], episodes: Sequence[Episode]) -> Notification:
    return Notification(
        at=one["at"],
        receiver=one["receiver"],
        kind=one["kind"],
        group=one["group"],
        firing=[episodes[number] for number in one["firing"]],
        resolved=[episodes[number] for number in one["resolved"]],
    )
