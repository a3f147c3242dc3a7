"""Contact points, mute timings and the notification policy (a separate module: Grafana is replacing this API)."""

from typing import Any, cast

from engine.stand_ins.grafana.api import Api
from engine.stand_ins.grafana.files import Files, document, without_secrets
from engine.stand_ins.grafana.resource_types import ResourceType
from engine.stand_ins.values import Object, Values, plain

_POINTS = "/api/v1/provisioning/contact-points"
_POLICIES = "/api/v1/provisioning/policies"
_MUTES = "/api/v1/provisioning/mute-timings"

# Maps arguments to Grafana's integration type and to the fields whose names differ.
_INTEGRATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "slacks": ("slack", {}),
    "webhooks": ("webhook", {"authorizationScheme": "authorization_scheme"}),
    "emails": ("email", {}),
    "pagerduties": ("pagerduty", {"clientUrl": "client_url"}),
}
_SECRET_FIELDS: dict[str, tuple[str, ...]] = {
    "slacks": ("url", "token"),
    "webhooks": ("url", "basicAuthPassword", "authorizationCredentials"),
    "emails": (),
    "pagerduties": ("integrationKey",),
}
"""Secret fields of each integration; Grafana returns `[REDACTED]` for them, or the address of a webhook."""


class ContactPoint(ResourceType):
    """A contact point: one name, and one or more integrations."""

    token = "grafana:alerting/contactPoint:ContactPoint"  # noqa: S105 (a type)
    inputs = frozenset({"name", "disableProvenance", *_INTEGRATIONS})
    required = frozenset({"name"})
    replaces = frozenset({"name", "disableProvenance"})

    def uid(self, inputs: Object) -> str:
        return str(inputs["name"])

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:  # noqa: ARG002
        existing = {str(item["uid"]) for item in await _rows(api, str(inputs["name"]))}
        wanted = _receivers(inputs)
        for row in wanted:
            body = {**row, "name": inputs["name"]}
            if row["uid"] in existing:
                await api.request("PUT", f"{_POINTS}/{row['uid']}", body)
            else:
                await api.request("POST", _POINTS, body)
        # Delete after creating: a contact point that a policy uses must never be empty.
        for uid in sorted(existing - {str(row["uid"]) for row in wanted}):
            await api.delete(f"{_POINTS}/{uid}")
        return {}

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:  # noqa: ARG002
        rows = {str(row["uid"]): row for row in await _rows(api, str(inputs["name"]))}
        if not rows:
            return None
        found: Object = {key: value for key, value in inputs.items() if key not in _INTEGRATIONS}
        for argument in _INTEGRATIONS:
            items = cast(list[Object], inputs.get(argument) or [])
            wanted = _receivers({"name": inputs["name"], argument: items})
            integrations = [
                _seen(item, argument, rows[str(row["uid"])])
                for item, row in zip(items, wanted, strict=True)
                if row["uid"] in rows
            ]
            if integrations:
                found[argument] = integrations
        return found

    async def remove(self, api: Api, inputs: Object) -> None:
        for row in await _rows(api, str(inputs["name"])):
            await api.delete(f"{_POINTS}/{row['uid']}")

    def path(self, inputs: Object) -> str:
        return f"alerting/contact-point-{inputs['name']}.yaml"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        name = str(inputs["name"])
        shown: Object = {"name": name}
        for argument, secret in _SECRET_FIELDS.items():
            if argument in values:
                shown |= without_secrets({argument: values[argument]}, secret, name)
        receivers = _receivers(shown)
        point: Object = {"orgId": 1, "name": inputs["name"], "receivers": receivers}
        files.write(self.path(inputs), document("contactPoints", [point]))


class MuteTiming(ResourceType):
    """A named set of times in which the policies that use it send no notifications."""

    token = "grafana:alerting/muteTiming:MuteTiming"  # noqa: S105 (a type)
    inputs = frozenset({"name", "intervals", "disableProvenance"})
    required = frozenset({"name"})
    replaces = frozenset({"name", "disableProvenance"})

    def uid(self, inputs: Object) -> str:
        return str(inputs["name"])

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:  # noqa: ARG002
        path = f"{_MUTES}/{inputs['name']}"
        found = await api.get(path)
        await api.request(*(("POST", _MUTES) if found is None else ("PUT", path)), _timing(inputs))
        return {}

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:  # noqa: ARG002
        found = await api.get(f"{_MUTES}/{inputs['name']}")
        if found is None:
            return None
        theirs = cast(list[Object], found.get("time_intervals") or [])
        if _filled(theirs) == _filled(_timing(inputs)["time_intervals"]):
            return inputs
        return {**inputs, "intervals": [_interval_arguments(one) for one in theirs]}

    async def remove(self, api: Api, inputs: Object) -> None:
        await api.delete(f"{_MUTES}/{inputs['name']}")

    def path(self, inputs: Object) -> str:
        return f"alerting/mute-timing-{inputs['name']}.yaml"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        files.write(self.path(inputs), document("muteTimes", [{"orgId": 1, **_timing(inputs)}]))


class NotificationPolicy(ResourceType):
    """The single tree of notification policies."""

    token = "grafana:alerting/notificationPolicy:NotificationPolicy"  # noqa: S105 (a type)
    inputs = frozenset(
        {"contactPoint", "groupBies", "groupWait", "groupInterval", "repeatInterval", "policies", "disableProvenance"}
    )
    required = frozenset({"contactPoint", "groupBies"})
    replaces = frozenset({"disableProvenance"})

    def uid(self, inputs: Object) -> str:  # noqa: ARG002
        return "policy"

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:  # noqa: ARG002
        await api.request("PUT", _POLICIES, _route(inputs))
        return {}

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:  # noqa: ARG002
        found = cast(Object, await api.get(_POLICIES) or {})
        found = {key: value for key, value in found.items() if key != "provenance"}
        if _filled(found) == _filled(_route(inputs)):
            return inputs
        unchanged = {key: value for key, value in inputs.items() if key == "disableProvenance"}
        return {**unchanged, **_arguments(found)}

    async def remove(self, api: Api, inputs: Object) -> None:  # noqa: ARG002
        await api.delete(_POLICIES)  # resets the tree to Grafana's default

    def path(self, inputs: Object) -> str:  # noqa: ARG002
        return "alerting/notification-policy.yaml"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        # Grafana does not expand variables in policies.
        files.write(self.path(inputs), document("policies", [{"orgId": 1, **_route(inputs)}]))


async def _rows(api: Api, name: str) -> list[Object]:
    found = cast(list[Object], await api.get(_POINTS) or [])
    return [row for row in found if row["name"] == name]


def _receivers(inputs: Object) -> list[Object]:
    """Grafana's integrations of a contact point, with uids derived from its name."""
    found: list[Object] = []
    for argument, (kind, renamed) in _INTEGRATIONS.items():
        for index, item in enumerate(cast(list[Object], inputs.get(argument) or [])):
            settings = {renamed.get(key, key): value for key, value in item.items() if key != "disableResolveMessage"}
            if kind == "email" and isinstance(settings.get("addresses"), list):
                settings["addresses"] = ";".join(cast(list[str], settings["addresses"]))
            found.append(
                {
                    "uid": f"{inputs['name']}-{kind}-{index}"[-40:],  # Grafana's limit
                    "type": kind,
                    "disableResolveMessage": item.get("disableResolveMessage", False),
                    "settings": settings,
                }
            )
    return found


def _seen(item: Object, argument: str, row: Object) -> Object:
    """An integration with Grafana's values, except for secrets, which Grafana does not return."""
    (wanted,) = _receivers({"name": "", argument: [item]})
    settings = cast(Object, row["settings"])
    renamed = _INTEGRATIONS[argument][1]
    found = dict(item)
    for key in item:
        theirs = renamed.get(key, key)
        if key in _SECRET_FIELDS[argument]:
            continue
        if key == "disableResolveMessage":
            found[key] = row.get(key, False)
        elif settings.get(theirs) != wanted["settings"][theirs]:
            found[key] = settings.get(theirs)
    return found


_INTERVAL_FIELDS = {
    "weekdays": "weekdays",
    "daysOfMonths": "days_of_month",
    "months": "months",
    "years": "years",
    "location": "location",
}


def _timing(inputs: Object) -> Object:
    """A mute timing in the form of Grafana's API."""
    intervals: list[Object] = []
    for item in cast(list[Object], inputs.get("intervals") or []):
        interval: Object = {theirs: item[ours] for ours, theirs in _INTERVAL_FIELDS.items() if item.get(ours)}
        times = cast(list[Object], item.get("times") or [])
        if times:
            interval["times"] = [{"start_time": one["start"], "end_time": one["end"]} for one in times]
        intervals.append(interval)
    return {"name": inputs["name"], "time_intervals": intervals}


def _interval_arguments(interval: Object) -> Object:
    """One interval in the form of the program's arguments."""
    item: Object = {ours: interval[theirs] for ours, theirs in _INTERVAL_FIELDS.items() if interval.get(theirs)}
    times = cast(list[Object], interval.get("times") or [])
    if times:
        item["times"] = [{"start": one["start_time"], "end": one["end_time"]} for one in times]
    return item


_POLICY_FIELDS = {
    "contactPoint": "receiver",
    "groupBies": "group_by",
    "groupWait": "group_wait",
    "groupInterval": "group_interval",
    "repeatInterval": "repeat_interval",
    "continue": "continue",
    "muteTimings": "mute_time_intervals",
    "activeTimings": "active_time_intervals",
}


def _route(policy: Object) -> Object:
    """One policy with its children, in the form of Grafana's API."""
    route: Object = {theirs: policy[ours] for ours, theirs in _POLICY_FIELDS.items() if ours in policy}
    if policy.get("matchers"):
        matchers = cast(list[Object], policy["matchers"])
        route["object_matchers"] = [[one["label"], one["match"], one["value"]] for one in matchers]
    if policy.get("policies"):
        route["routes"] = [_route(inner) for inner in cast(list[Object], policy["policies"])]
    return route


def _arguments(route: Object) -> Object:
    """One policy with its children, in the form of the program's arguments."""
    policy: Object = {ours: route[theirs] for ours, theirs in _POLICY_FIELDS.items() if theirs in route}
    if route.get("object_matchers"):
        matchers = cast(list[list[str]], route["object_matchers"])
        policy["matchers"] = [{"label": label, "match": match, "value": value} for label, match, value in matchers]
    if route.get("routes"):
        policy["policies"] = [_arguments(inner) for inner in cast(list[Object], route["routes"])]
    return policy


def _filled(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """`value` without false and empty entries, which Grafana drops, such as `continue: false`."""
    if isinstance(value, dict):
        inner = {key: _filled(item) for key, item in cast(Object, value).items()}
        return {key: item for key, item in inner.items() if item not in (None, False, "", [], {})}
    return [_filled(item) for item in cast(list[Any], value)] if isinstance(value, list) else value
