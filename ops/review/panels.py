"""Compares dashboards by panels, queries, thresholds and variables, but not by the position of panels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ops.review.changes import Change, ChangeKind, Detail, action, compared, details

# Keys for a panel's position, and numbers that Grafana assigns.
_PLACE = ("id", "gridPos", "panels", "collapsed")
# Parts of a panel that are reported by name; all other differences are reported as "look".
_PARTS = ("title", "type", "description", "targets", "thresholds", "unit")


def changes(
    before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]], systems: Sequence[str]
) -> list[Change]:
    """Dashboards that differ. A tag that is in `systems` names the dashboard's owner."""

    def change(uid: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Change | None:
        if old == new:
            return None
        shown = new or old or {}
        head = details(_head(old), _head(new)) if old and new else ()
        found = (*head, *_panels(old, new))
        owners = [tag for tag in cast(list[str], shown.get("tags") or []) if tag in systems]
        return Change(
            kind=ChangeKind.DASHBOARD,
            name=f"{shown.get('title')} ({uid})",
            action=action(old, new),
            system=", ".join(owners),
            details=found or (Detail(what="layout", before="as before", after="moved"),),
        )

    return compared(before, after, change)


def _head(dashboard: dict[str, Any]) -> dict[str, Any]:
    variables = cast(list[dict[str, Any]], (dashboard.get("templating") or {}).get("list") or [])
    return {
        "title": dashboard.get("title"),
        "tags": dashboard.get("tags"),
        "refresh": dashboard.get("refresh"),
        "time": dashboard.get("time"),
        **{f"variable {item.get('name')}": item.get("query") for item in variables},
    }


def _panels(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Iterator[Detail]:
    old, new = _named(before), _named(after)
    if before is None or after is None:
        yield Detail(what="panels", before=str(len(old)) if before else "", after=str(len(new)) if after else "")
        return
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old or name not in new:
            yield Detail(what="panel", before=name if name in old else "", after=name if name in new else "")
        elif _parts(old[name]) != _parts(new[name]):
            one, other = _parts(old[name]), _parts(new[name])
            differs = [part for part in other if one.get(part) != other[part]]
            yield Detail(what=f"panel {name}", before="as before", after=f"changed {', '.join(differs)}")


def _named(dashboard: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Maps titles to panels, including those inside rows; the second panel with a title is `title (2)`."""
    found: dict[str, dict[str, Any]] = {}
    for panel in _flat(cast(list[dict[str, Any]], (dashboard or {}).get("panels") or [])):
        title = str(panel.get("title") or panel.get("type"))
        count = sum(1 for name in found if name == title or name.startswith(f"{title} ("))
        found[f"{title} ({count + 1})" if title in found else title] = panel
    return found


def _flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        if panel.get("type") != "row":
            yield panel
        yield from _flat(cast(list[dict[str, Any]], panel.get("panels") or []))


def _parts(panel: dict[str, Any]) -> dict[str, str]:
    defaults = cast(dict[str, Any], (panel.get("fieldConfig") or {}).get("defaults") or {})
    parts: dict[str, Any] = {key: panel.get(key) for key in _PARTS}
    parts |= {"thresholds": defaults.get("thresholds"), "unit": defaults.get("unit")}
    rest = {key: value for key, value in panel.items() if key not in (*_PLACE, *_PARTS)}
    own = {key: value for key, value in defaults.items() if key not in _PARTS}
    parts["look"] = rest | {"fieldConfig": {**(panel.get("fieldConfig") or {}), "defaults": own}}
    named = {"targets": "queries"}
    return {named.get(key, key): json.dumps(value, sort_keys=True) for key, value in parts.items()}
