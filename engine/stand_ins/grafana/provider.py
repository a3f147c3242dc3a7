"""Implements the `grafana` provider for the Pulumi engine.

Content goes to the Grafana at the provider's `url`. With `retries` above zero the stack has a Grafana, and the provider
waits for it. With zero, and if no Grafana answers, content is written as provisioning files. If this changes between
two runs, the next `up` moves the content to the other place.
"""

import asyncio
from pathlib import Path
from typing import Any

from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from engine.stand_ins.changes import REPLACING, changes
from engine.stand_ins.errors import ProviderError, discreet, unsupported
from engine.stand_ins.grafana.alerting import ContactPoint, MuteTiming, NotificationPolicy
from engine.stand_ins.grafana.api import Api
from engine.stand_ins.grafana.files import Files, parsed
from engine.stand_ins.grafana.resource_types import Dashboard, DataSource, Folder, ResourceType
from engine.stand_ins.server import Notes
from engine.stand_ins.values import (
    UNKNOWN,
    Object,
    Values,
    has_unknown,
    is_unknown,
    mapping,
    plain,
    properties,
    type_of,
)

TYPES: dict[str, ResourceType] = {
    kind.token: kind
    for kind in (Folder(), Dashboard(), DataSource(), ContactPoint(), MuteTiming(), NotificationPolicy())
}
INPUTS, PLACE = "__inputs", "__place"
"""Keys in the state besides a resource's own properties: the last inputs, and where they were written."""
_API, _FILES = "api", "files"
_ARGUMENTS = {"url", "auth", "orgId", "retries", "retryWait", "version"}
# The official provider's defaults.
_RETRIES, _RETRY_WAIT = 3, 5


class GrafanaProvider(rpc.Provider):
    """One configured provider; the engine calls its methods concurrently on one event loop."""

    def __init__(self, folder: Path, notes: Notes) -> None:
        """Files are written to `folder`. The provider is not usable before `configure`."""
        self._files, self._note = Files(folder), notes
        self._api: Api | None = None
        self._patience = 0.0
        self._reached = False
        self._chosen: str | None = None
        # SQLite has one writer, and creating two folders at once may fail.
        self._one_at_a_time = asyncio.Lock()

    async def check_config(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Reject provider arguments that would be ignored."""
        given = plain(request.new_inputs)
        failures = [rpc.CheckFailure(key, unsupported("grafana")) for key in sorted(given) if key not in _ARGUMENTS]
        if not given.get("url"):
            failures.append(rpc.CheckFailure("url", "required: the address of Grafana's API"))
        return rpc.CheckResponse(request.new_inputs, failures)

    async def diff_config(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """A new address or login changes the provider, but replaces no resources."""
        old, new = plain(request.old_state), plain(request.new_inputs)
        return rpc.DiffResponse(diffs=[key for key in sorted({*old, *new}) if old.get(key) != new.get(key)])

    async def configure(self, request: rpc.ConfigureRequest) -> rpc.ConfigureResponse:
        """Store the arguments. Sends no request, because Grafana may be created later in the same run."""
        args = plain(request.args)
        retries, wait = (
            int(args.get(key, default)) for key, default in (("retries", _RETRIES), ("retryWait", _RETRY_WAIT))
        )
        self._patience = float(retries * wait)
        if not is_unknown(args.get("url")):
            auth = args.get("auth", "")
            self._api = Api(str(args["url"]), "" if is_unknown(auth) else str(auth))
        return rpc.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """The unchanged inputs, and the reasons why some cannot be used."""
        wrong = _kind(request.urn).check(plain(request.new_inputs))
        return rpc.CheckResponse(request.new_inputs, [rpc.CheckFailure(key, reason) for key, reason in wrong])

    async def diff(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """The changes since the inputs of the last `up` or refresh, and whether the content has to move."""
        kind, state = _kind(request.urn), plain(request.old_state)
        old, new = (_comparable(kind, value) for value in (mapping(state.get(INPUTS)), plain(request.new_inputs)))
        details: dict[str, rpc.PropertyDiff] = {}
        replaced = kind.token == Dashboard.token and _other_uid(old, new)
        for change in changes((), old, new):
            key = str(change.path[0])
            if any(change.ignored(path) for path in request.ignore_changes):
                continue
            replacing = key in kind.replaces or (replaced and key == "configJson")
            found = change.kind if len(change.path) == 1 else rpc.PropertyDiffKind.UPDATE
            details[key] = rpc.PropertyDiff(REPLACING[found] if replacing else found, input_diff=True)
        if await self._place() != state.get(PLACE):
            details[PLACE] = rpc.PropertyDiff(rpc.PropertyDiffKind.UPDATE, input_diff=False)
        replaces = [key for key, found in details.items() if found.kind in REPLACING.values()]
        return rpc.DiffResponse(
            changes=bool(details),
            replaces=replaces,
            delete_before_replace=bool(replaces),
            diffs=sorted(details),
            detailed_diff=details,
        )

    async def create(self, request: rpc.CreateRequest) -> rpc.CreateResponse:
        """Save through the API or as a file; in a preview, only return the expected outputs."""
        kind = _kind(request.urn)
        if request.preview:
            return rpc.CreateResponse("", self._planned(kind, request.properties))
        state = await self._save(kind, request.properties, new=True)
        return rpc.CreateResponse(f"1:{kind.uid(plain(request.properties))}", state)

    async def update(self, request: rpc.UpdateRequest) -> rpc.UpdateResponse:
        """Save to the place that content belongs to now, and remove the old file if its path differs."""
        kind = _kind(request.urn)
        if request.preview:
            return rpc.UpdateResponse(self._planned(kind, request.news))
        old = mapping(plain(request.olds).get(INPUTS))
        state = await self._save(kind, request.news, new=False)
        if plain(state)[PLACE] == _FILES and kind.path(old) != kind.path(plain(request.news)):
            self._files.remove(kind.path(old))
        return rpc.UpdateResponse(state)

    async def read(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        """The live object, for refresh. A file whose content now belongs into Grafana counts as absent."""
        kind, state = _kind(request.urn), plain(request.properties)
        inputs = mapping(state.get(INPUTS))
        if not inputs:
            raise ProviderError("the stand-in grafana provider cannot import; install the official plugin for that")
        unchanged = rpc.ReadResponse(request.resource_id, request.properties, request.inputs)
        place = await self._place()
        if state[PLACE] == _FILES:
            gone = not self._files.exists(kind.path(inputs)) or (place == _API and not await self._down())
            return rpc.ReadResponse("") if gone else unchanged
        if reason := await self._down():
            await self._note(f"{reason}; its content was not compared with the state")
            return unchanged
        live = await kind.live(self._grafana, inputs, state)
        if live is None:
            return rpc.ReadResponse("")
        found = properties(live, request.inputs)
        outputs = {key: value for key, value in request.properties.items() if key not in {*inputs, INPUTS}}
        return rpc.ReadResponse(request.resource_id, {**found, **outputs, INPUTS: PropertyValue(found)}, found)

    async def delete(self, request: rpc.DeleteRequest) -> None:
        """Delete the object or its file. If Grafana does not answer, the object stays, and a note reports this."""
        kind, state = _kind(request.urn), plain(request.properties)
        inputs = mapping(state.get(INPUTS))
        self._forget(kind, inputs)
        if state.get(PLACE) != _API:
            return
        if reason := await self._down():
            await self._note(f"{reason}; objects removed from the stack may still exist in it")
            return
        async with self._one_at_a_time:
            await kind.remove(self._grafana, inputs)

    @property
    def _grafana(self) -> Api:
        if self._api is None:
            raise ProviderError("the grafana provider was not configured, because its arguments are not known yet")
        return self._api

    async def _place(self) -> str:
        """The place that content belongs to in this run: _API or _FILES."""
        if self._patience:
            return _API
        if self._chosen is None:
            reason = await self._down()
            if not reason and self._files.exists("README.txt") and await self._loads_files():
                reason = f"Grafana at {self._grafana.url} loads provisioning files itself"
            self._chosen = _FILES if reason else _API
            if reason:
                await self._note(f"{reason}; its content is written as provisioning files: {self._files.folder}")
        return self._chosen

    async def _down(self) -> str:
        """The reason why Grafana does not answer; empty if it does."""
        reason = await self._grafana.health()
        return f"no Grafana answers at {self._grafana.url} ({reason})" if reason else ""

    async def _loads_files(self) -> bool:
        return any(source.get("readOnly") for source in await self._grafana.get("/api/datasources") or [])

    def _planned(self, kind: ResourceType, values: Values) -> Values:
        """The outputs in a preview."""
        computed = {Folder.token: ("url",), Dashboard.token: ("uid", "dashboardId", "version", "url")}.get(
            kind.token, ()
        )
        return {**values, **{key: PropertyValue(UNKNOWN) for key in computed}}

    async def _save(self, kind: ResourceType, values: Values, *, new: bool) -> Values:
        inputs, place = plain(values), await self._place()
        if has_unknown(inputs):
            raise ProviderError("an argument is unknown, although this is not a preview")
        async with self._one_at_a_time:
            if place == _API:
                if not self._reached:
                    await self._grafana.wait(self._patience)
                    self._reached = True
                with discreet(values):
                    extra: dict[str, Any] = await kind.save(self._grafana, inputs, new=new)
                self._forget(kind, inputs)
            else:
                kind.write(self._files, values)
                self._files.explain()
                extra = {"uid": kind.uid(inputs)} if kind.token == Dashboard.token else {}
        known = properties(inputs, values)
        return {**known, **properties(extra, {}), INPUTS: PropertyValue(known), PLACE: PropertyValue(place)}

    def _forget(self, kind: ResourceType, inputs: Object) -> None:
        """Remove the file of a resource, if it has one."""
        if self._files.exists(kind.path(inputs)):
            self._files.remove(kind.path(inputs))
            self._files.explain()


def _kind(urn: str) -> ResourceType:
    token = type_of(urn)
    if token not in TYPES:
        raise ProviderError(
            f"the stand-in grafana provider does not support {token}; it supports {', '.join(TYPES)}. "
            "Install the official plugin to use others"
        )
    return TYPES[token]


def _comparable(kind: ResourceType, inputs: Object) -> Object:
    """`inputs` with parsed JSON in place of JSON texts."""
    return {
        key: parsed(value) if key in kind.texts and not is_unknown(value) else value for key, value in inputs.items()
    }


def _other_uid(old: Object, new: Object) -> bool:
    before, after = (value.get("configJson") for value in (old, new))
    return (
        isinstance(before, dict) and isinstance(after, dict) and mapping(before).get("uid") != mapping(after).get("uid")
    )
