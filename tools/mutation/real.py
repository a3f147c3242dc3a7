"""Runs many configurations in one real Alertmanager: each is a subtree for alerts with the configuration's label."""

import copy
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tools.mutation.cases import Case
from tools.mutation.semantics import Config
from tools.rule_tests import alertmanager
from tools.rule_tests.mute_times import shifted

LABEL = "configuration"
_CHUNK = 500
_WAIT = 600.0
"""Seconds until Alertmanager must have settled. One answer with all alerts may take minutes on a busy machine."""
_SETTLED = 4
"""Number of equal results, a second apart, after which Alertmanager counts as settled."""


def ask(configs: Sequence[Config], cases: Sequence[Case], folder: Path) -> list[list[frozenset[str] | bool]]:
    """For each configuration, what Alertmanager says of each case: the receivers, or whether the alert is muted.

    Raises RuntimeError if Alertmanager does not settle.
    """
    trees: dict[str, Config] = {}
    names: dict[str, str] = {}
    alerts: dict[tuple[int, int], list[dict[str, str]]] = {}
    for number, config in enumerate(configs):
        # Each instant needs its own calendar, and the alerts of route cases must not mute others.
        for kind, instant in dict.fromkeys((case.kind, case.instant) for case in cases):
            tree = shifted(config, instant) if instant else _without_windows(config)
            if kind != "inhibition":
                tree = {**tree, "inhibit_rules": []}
            # Equal trees for the same cases are run once.
            name = names.setdefault(kind + instant + json.dumps(tree, sort_keys=True), str(len(names)))
            trees[name] = tree
            for index, case in enumerate(cases):
                if (case.kind, case.instant) == (kind, instant):
                    alerts[number, index] = [{**labels, LABEL: name} for labels in case.alerts]
    with alertmanager.running(_joined(trees), folder, notifies=False) as running:
        every = list({tuple(sorted(one.items())): one for some in alerts.values() for one in some}.values())
        for start in range(0, len(every), _CHUNK):
            running.fire(*every[start : start + _CHUNK])
        status = _status(running.url, len(every))
    return [
        [_answer(case, status[_key(alerts[number, index][-1])]) for index, case in enumerate(cases)]
        for number in range(len(configs))
    ]


_Key = tuple[tuple[str, str], ...]
_Status = tuple[frozenset[str], bool, bool]
"""Receivers, whether the alert is inhibited, and whether mute windows mute it in all of its groups."""


def _answer(case: Case, status: _Status) -> frozenset[str] | bool:
    receivers, inhibited, muted = status
    if case.kind == "route":
        return receivers
    return muted if case.kind == "window" else inhibited


def _status(url: str, count: int) -> dict[_Key, _Status]:
    """The status of all alerts, once the API has returned the same result several times."""
    deadline = time.monotonic() + _WAIT
    last: dict[_Key, _Status] = {}
    equal_results = 0
    while equal_results < _SETTLED:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Alertmanager has {len(last)} of {count} alerts, and does not settle")
        time.sleep(1)
        found = _read(httpx.get(f"{url}/api/v2/alerts/groups", timeout=_WAIT).raise_for_status().json())
        equal_results = equal_results + 1 if len(found) == count and found == last else 0
        last = found
    return last


def _read(groups: Sequence[Mapping[str, Any]]) -> dict[_Key, _Status]:
    found: dict[_Key, _Status] = {}
    for group in groups:
        for alert in group["alerts"]:
            receivers, _, muted = found.get(_key(alert["labels"]), (frozenset[str](), False, True))
            status = alert["status"]
            found[_key(alert["labels"])] = (
                receivers | {group["receiver"]["name"]},
                bool(status["inhibitedBy"]),
                muted and bool(status["mutedBy"]),
            )
    return found


def _key(labels: Mapping[str, str]) -> _Key:
    return tuple(sorted(labels.items()))


def _joined(trees: Mapping[str, Config]) -> Config:
    first = next(iter(trees.values()))
    return {
        **{key: value for key, value in first.items() if key not in ("route", "inhibit_rules", "time_intervals")},
        "route": {
            "receiver": first["route"]["receiver"],
            # Mute windows belong to routes and mute whole groups, so the groups follow the configurations.
            "group_by": [LABEL],
            "group_wait": "1s",
            "group_interval": "1h",
            "repeat_interval": "4h",
            "routes": [_subtree(name, config) for name, config in trees.items()],
        },
        "inhibit_rules": [rule for name, config in trees.items() for rule in _rules(name, config)],
        "time_intervals": [
            {**window, "name": f"{window['name']} {name}"}
            for name, config in trees.items()
            for window in config.get("time_intervals") or []
        ],
    }


def _subtree(name: str, config: Config) -> dict[str, Any]:
    tree = copy.deepcopy(config["route"])

    def rename(route: dict[str, Any]) -> None:
        route.pop("group_by", None)
        if route.get("mute_time_intervals"):
            route["mute_time_intervals"] = [f"{window} {name}" for window in route["mute_time_intervals"]]
        for child in route.get("routes") or []:
            rename(child)

    rename(tree)
    return {"receiver": tree["receiver"], "matchers": [f'{LABEL}="{name}"'], "routes": tree["routes"]}


def _rules(name: str, config: Config) -> Iterator[dict[str, Any]]:
    own = f'{LABEL}="{name}"'
    for rule in config["inhibit_rules"]:
        yield {
            "source_matchers": [*rule["source_matchers"], own],
            "target_matchers": [*rule["target_matchers"], own],
            "equal": rule["equal"],
        }


def _without_windows(config: Config) -> Config:
    changed = copy.deepcopy(config)
    changed.pop("time_intervals", None)

    def remove_windows(route: dict[str, Any]) -> None:
        route.pop("mute_time_intervals", None)
        for child in route.get("routes") or []:
            remove_windows(child)

    remove_windows(changed["route"])
    return changed
