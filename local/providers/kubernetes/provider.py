"""What the Pulumi engine asks of the `kubernetes` provider, done on a real API server with server-side apply."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, cast

from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from local.providers.errors import InitError, ProviderError, discreet, unsupported
from local.providers.kubernetes import ready
from local.providers.kubernetes.connection import PARALLEL, ApiError, Connection, Target, server_of
from local.providers.kubernetes.diff import compare
from local.providers.kubernetes.kinds import Kind, Mutability, kind_of
from local.providers.kubernetes.objects import (
    FIELD_MANAGER,
    INPUTS,
    MANAGER,
    aside,
    autoname,
    exists,
    id_of,
    identity,
    importable,
    manager_of,
    managers,
    planned_state,
    state_of,
    stuck,
)
from local.providers.kubernetes.values import applied, pruned, with_secret_data
from local.providers.values import (
    Object,
    Values,
    has_unknown,
    hidden,
    is_unknown,
    mapping,
    plain,
    properties,
    secret_texts,
)

# Provider arguments that change what the official plugin does and that the stand-in does not know.
_UNSUPPORTED = (
    "cluster",
    "deleteUnreachable",
    "renderYamlToDirectory",
    "skipUpdateUnreachable",
    "upsertExistingObjects",
)
# Deletion of these returns at once under pulumi.com/skipAwait, as in the official provider.
_DELETE_MAY_SKIP = ("Namespace", "Deployment", "StatefulSet", "DaemonSet", "Job")


class KubernetesProvider(rpc.Provider):
    """One configured provider; the engine calls its methods concurrently on one event loop."""

    def __init__(self) -> None:
        """Not usable before `configure`."""
        self._pool = ThreadPoolExecutor(PARALLEL)
        self._live_connection: Connection | None = None
        self._mutable = Mutability()
        self._namespace = ""
        self._force = False
        self._planned: set[str] = set()
        self._cancelled = False

    async def check_config(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Refuse provider arguments that would be ignored."""
        given = plain(request.new_inputs)
        wrong = [key for key in _UNSUPPORTED if given.get(key) not in (None, "", "false", False)]
        wrong += ["enableServerSideApply"] if given.get("enableServerSideApply") in ("false", False) else []
        failures = [rpc.CheckFailure(key, unsupported("kubernetes")) for key in wrong]
        return rpc.CheckResponse(request.new_inputs, failures)

    async def diff_config(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """Another cluster replaces everything; `clusterIdentifier`, when given, decides what another is."""
        old, new = plain(request.old_state), plain(request.new_inputs)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        if old.get("clusterIdentifier") or new.get("clusterIdentifier"):
            replaces = ["clusterIdentifier"] if "clusterIdentifier" in changed and old.get("clusterIdentifier") else []
        else:
            moved = [key for key in ("kubeconfig", "context") if key in changed]
            same = moved and not has_unknown(new) and server_of(_target(old)) == server_of(_target(new)) is not None
            replaces = [] if same else moved
        return rpc.DiffResponse(replaces=replaces, diffs=changed)

    async def configure(self, request: rpc.ConfigureRequest) -> rpc.ConfigureResponse:
        """Connect; raises ProviderError when the cluster does not answer, so that no preview is green without it."""
        args = plain(request.args)
        self._mutable = Mutability(
            config_map=_flag(args, "enableConfigMapMutable"), secret=_flag(args, "enableSecretMutable")
        )
        self._force = _flag(args, "enablePatchForce")
        self._namespace = str(args.get("namespace", ""))
        connection = Connection(_target(args))
        await self._run(connection.check)
        self._live_connection = connection
        return rpc.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Inputs with a name, a namespace, and a Secret's content marked secret."""
        kind = kind_of(request.type)
        inputs = {**plain(request.new_inputs), "apiVersion": kind.api_version, "kind": kind.name}
        if not is_unknown(inputs.get("metadata")):
            metadata = dict(mapping(inputs.get("metadata")))
            if metadata.get("generateName"):
                reason = "generateName cannot be used with server-side apply; leave the name out to get a unique one"
                return rpc.CheckResponse(failures=[rpc.CheckFailure("metadata.generateName", reason)])
            if not metadata.get("name"):
                named = mapping(plain(request.old_inputs).get("metadata"))
                metadata |= autoname(request, metadata, named)
            if kind.namespaced and self._namespace and not metadata.get("namespace"):
                metadata["namespace"] = self._namespace
            inputs["metadata"] = metadata
        return rpc.CheckResponse(with_secret_data(kind.name, properties(inputs, request.new_inputs)))

    async def diff(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """What changes against the inputs of the last `up` or refresh."""
        old = mapping(plain(request.old_state).get(INPUTS))
        new = plain(request.new_inputs)
        return compare(kind_of(request.type), old, new, mutable=self._mutable, ignore=request.ignore_changes)

    async def create(self, request: rpc.CreateRequest) -> rpc.CreateResponse:
        """Dry run in preview; else create and wait. An object that is there and not ours is an error."""
        kind, inputs = kind_of(request.type), plain(request.properties)
        manager = str(ready.annotations(inputs).get("pulumi.com/patchFieldManager") or manager_of(request.urn))
        with discreet(request.properties):
            if request.preview:
                live = await self._run(self._rehearse_create, kind, inputs, manager)
                return rpc.CreateResponse("", planned_state(kind, live or inputs, inputs, request.properties))
            namespace, name = identity(kind, inputs)
            existing = await self._run(self._connection.get, kind, namespace, name)
            if existing and existing["metadata"].get("deletionTimestamp"):
                await self._gone(kind, existing, ready.timeout_of(kind, inputs, request.timeout))
            elif existing and manager not in managers(existing):
                raise ProviderError(exists(kind, namespace, name))
            live = await self._apply_and_wait(kind, inputs, manager, request.properties, request.timeout)
        return rpc.CreateResponse(id_of(kind, live), state_of(kind, live, inputs, manager, request.properties))

    async def update(self, request: rpc.UpdateRequest) -> rpc.UpdateResponse:
        """Dry run in preview; else apply and wait."""
        kind, inputs, old = kind_of(request.type), plain(request.news), plain(request.olds)
        chosen = ready.annotations(inputs).get("pulumi.com/patchFieldManager") or old.get(FIELD_MANAGER)
        manager = str(chosen or manager_of(request.urn))
        with discreet(request.news):
            if request.preview:
                body = None if has_unknown(inputs) or self._connection.offline else applied(inputs)
                live = await self._run(self._apply, kind, body, manager, True) if body else inputs
                return rpc.UpdateResponse(planned_state(kind, live, inputs, request.news, old=old))
            live = await self._apply_and_wait(kind, inputs, manager, request.news, request.timeout)
        return rpc.UpdateResponse(state_of(kind, live, inputs, manager, request.news))

    async def read(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        """The live object for refresh and import; an empty answer when it is gone."""
        kind, old = kind_of(request.type), plain(request.properties)
        namespace, _, name = request.resource_id.rpartition("/")
        live = await self._run(self._connection.get, kind, namespace or "default", name)
        if live is None:
            return rpc.ReadResponse("")
        like = request.inputs or dict(cast(Mapping[str, PropertyValue], _inner(request.properties.get(INPUTS))))
        known = plain(like)
        inputs = pruned(live, known) if known else importable(live)
        manager = str(old.get(FIELD_MANAGER) or manager_of(request.urn))
        state, found = (
            state_of(kind, live, inputs, manager, like),
            with_secret_data(kind.name, properties(inputs, like)),
        )
        if kind.name in ready.CHECKS and not ready.skips_wait(inputs):
            look = await self._run(ready.CHECKS[kind.name], self._connection, live)
            if not look.ready:  # kept in the state, so that the next `up` waits for it again
                raise InitError(request.resource_id, state, found, [f"{kind.name} {name}: {look.detail}"])
        return rpc.ReadResponse(request.resource_id, state, found)

    async def delete(self, request: rpc.DeleteRequest) -> None:
        """Delete with what depends on it and wait until it is gone; gone already is fine."""
        kind, old = kind_of(request.type), plain(request.properties)
        namespace, _, name = request.resource_id.rpartition("/")
        policy = str(ready.annotations(old).get("pulumi.com/deletionPropagationPolicy", "foreground")).capitalize()
        live = await self._run(self._connection.get, kind, namespace or "default", name)
        if live is None or not await self._run(self._delete, kind, live, policy):
            return
        if not (ready.skips_wait(old) and kind.name in _DELETE_MAY_SKIP):
            await self._gone(kind, live, ready.timeout_of(kind, old, request.timeout))

    async def cancel(self) -> None:
        """Give up all waits; what exists stays in the state."""
        self._cancelled = True

    @property
    def _connection(self) -> Connection:
        if self._live_connection is None:
            raise ProviderError("the kubernetes provider was not configured, because its arguments are not known yet")
        return self._live_connection

    async def _run(self, function: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 (as its function)
        if self._cancelled:
            raise ready.NotReadyError(["interrupted"])
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def _apply(self, kind: Kind, body: Object, manager: str, dry_run: bool) -> Object:
        namespace, _ = identity(kind, body)
        metadata = {**mapping(body.get("metadata")), **({"namespace": namespace} if namespace else {})}
        force = self._force or ready.annotations(body).get("pulumi.com/patchForce") == "true"
        connection, body = self._connection, {**body, "metadata": metadata}
        return connection.apply(kind, body, manager=manager, force=force, dry_run=dry_run)

    def _delete(self, kind: Kind, live: Object, policy: str) -> bool:
        namespace, name = identity(kind, live)
        return self._connection.delete(kind, namespace, name, propagation=policy)

    def _rehearse_create(self, kind: Kind, inputs: Object, manager: str) -> Object | None:
        """What the API server would make of a new object; None when that depends on what is not known yet."""
        if kind.name == "Namespace":
            self._planned.add(str(mapping(inputs.get("metadata")).get("name")))
        if has_unknown(inputs) or self._connection.offline:
            return None
        body = applied(inputs)
        namespace, name = identity(kind, body)
        existing = self._connection.get(kind, namespace, name)
        if existing and not any(found.startswith(MANAGER) for found in managers(existing)):
            raise ProviderError(exists(kind, namespace, name))
        # An object of ours that is there now will be gone when this one is created, so it must not get in the way.
        body = aside(body) if existing else body
        try:
            live = self._apply(kind, body, manager, True)
        except ApiError as error:
            absent = error.status == HTTPStatus.NOT_FOUND and namespace in self._planned
            if not absent:
                raise
            live = self._apply(kind, aside(body, "default"), manager, True)
        metadata = {**live["metadata"], **mapping(inputs.get("metadata"))}
        return {**live, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}

    async def _apply_and_wait(self, kind: Kind, inputs: Object, manager: str, like: Values, seconds: float) -> Object:
        live = cast(Object, await self._run(self._apply, kind, applied(inputs), manager, False))
        if ready.skips_wait(inputs):
            return live
        seconds = ready.timeout_of(kind, inputs, seconds)
        since = managers(live).get(manager, "")
        try:
            return await ready.wait(self._connection, kind, live, seconds=seconds, run=self._run, since=since)
        except (ready.NotReadyError, ProviderError) as error:
            reasons = error.reasons if isinstance(error, ready.NotReadyError) else [str(error)]
            secrets = list(secret_texts(like))
            reasons = [hidden(reason, secrets) for reason in reasons]
            raise InitError(id_of(kind, live), state_of(kind, live, inputs, manager, like), like, reasons) from error

    async def _gone(self, kind: Kind, live: Object, seconds: float) -> None:
        namespace, name = identity(kind, live)
        deadline, pause = time.monotonic() + seconds, 0.05
        found: Object | None = live
        while found is not None and found["metadata"]["uid"] == live["metadata"]["uid"]:
            if time.monotonic() > deadline:
                raise ProviderError(stuck(kind, found, seconds))
            await asyncio.sleep(pause)
            pause = min(pause * 1.6, 2.0)
            found = await self._run(self._connection.get, kind, namespace, name)


def _target(args: Object) -> Target:
    return Target(kubeconfig=str(args.get("kubeconfig") or ""), context=str(args.get("context") or ""))


def _flag(args: Object, key: str) -> bool:
    return args.get(key) in (True, "true")


def _inner(value: PropertyValue | None) -> object:
    return {} if value is None else value.value
