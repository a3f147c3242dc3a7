"""What is muted and what is not: the cases in muting.yaml, and those that follow from each inhibition."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from alerting import routing
from alerting.files import read_yaml
from alerting.routing.model import Inhibition, Match
from tools.rule_tests import FOLDER

Case = dict[str, Any]
Labels = dict[str, str]
_PAGES = {"warnings": "false", "pages": "true"}


def load(folder: Path = FOLDER) -> list[Case]:
    """All cases. Each has `name`, `muted`, and `inhibition`, `source`, `target`, or `mute_window`, `alert`, `at`."""
    return [*written(folder), *derived(routing.load().inhibitions)]


def written(folder: Path = FOLDER) -> list[Case]:
    """The cases in muting.yaml."""
    return cast(list[Case], read_yaml(folder / "muting.yaml", "muting.yaml"))


def derived(inhibitions: Mapping[str, Inhibition]) -> Iterator[Case]:
    """For each inhibition: that it mutes, that only a page mutes a page, and that each of its conditions counts."""
    for name, inhibition in inhibitions.items():
        for what, source, target, muted in _pairs(inhibition):
            yield {"inhibition": name, "name": f"{name}: {what}", "source": source, "target": target, "muted": muted}


def _pairs(inhibition: Inhibition) -> Iterator[tuple[str, Labels, Labels, bool]]:
    shared = {label: "a" for label in inhibition.equal if label != "cluster"}  # each case has its own
    source = shared | {"alertname": "Cause", **_first(inhibition.source)}
    target = shared | {"alertname": "Symptom", **_first(inhibition.target)}
    # An inhibition that names `page` of its targets mutes no page.
    kinds = {kind: page for kind, page in _PAGES.items() if page == inhibition.target.get("page", page)}
    for kind, page in kinds.items():
        ours = {"page": page}
        yield f"{kind} mute {kind}", source | ours, target | ours, True
        if "alertname" in inhibition.source:
            yield f"{kind} of another name mute nothing", source | ours | {"alertname": "Other"}, target | ours, False
        if "alertname" in inhibition.target:
            yield f"{kind} of another name are not muted", source | ours, target | ours | {"alertname": "Other"}, False
        for label in inhibition.present:
            cause, symptom = ({key: side[key] for key in side if key != label} for side in (source, target))
            yield f"{kind} without {label} mute nothing", cause | ours, symptom | ours, False
    yield "a warning mutes no page", source | {"page": "false"}, target | {"page": "true"}, False


def _first(match: Match) -> Labels:
    """An alert's labels that match."""
    return {label: value if isinstance(value, str) else value[0] for label, value in match.items()}
