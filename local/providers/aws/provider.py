"""What the Pulumi engine asks of the `aws` provider.

Every argument is checked against the SDK's classes and, as far as it is known, against botocore's model of the service.
A preview needs no account: it puts out the inputs, and all else is not known. Changes are made only where
AWS_ENDPOINT_URL names an emulator: a real account is the official plugin's business.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from local.providers.aws import arguments
from local.providers.aws.account import SUPPORTED, Account
from local.providers.aws.kind import Kind, kept, merged
from local.providers.aws.kinds import KINDS
from local.providers.aws.service import GoneError, Service
from local.providers.changes import REPLACING, changes, differences
from local.providers.errors import InitError, ProviderError, discreet, unsupported
from local.providers.values import (
    Object,
    Values,
    has_unknown,
    is_unknown,
    mapping,
    plain,
    properties,
    type_of,
)

INPUTS = "__inputs"
"""What the state keeps beside a resource's own properties: the last inputs."""
_ALL_TAGS = "tagsAll"
_PARALLEL = 16
"""Calls in flight at a time."""


class AwsProvider(rpc.Provider):
    """One configured provider; the engine calls its methods concurrently on one event loop."""

    def __init__(self) -> None:
        """Not usable before `configure`."""
        self._pool = ThreadPoolExecutor(_PARALLEL)
        self._configured: Account | None = None

    async def check_config(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Refuse provider arguments that are wrong, or that would be ignored."""
        given = arguments.provider_arguments(plain(request.new_inputs))
        failures = [_failure(*problem) for problem in arguments.provider_problems(given)]
        failures += [_failure(key, unsupported("aws")) for key in sorted(given.keys() - SUPPORTED)]
        return rpc.CheckResponse(request.new_inputs, failures)

    async def diff_config(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """Another region is another place; the rest changes the provider and replaces nothing."""
        old, new = plain(request.old_state), plain(request.new_inputs)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return rpc.DiffResponse(replaces=[key for key in changed if key == "region" and old.get(key)], diffs=changed)

    async def configure(self, request: rpc.ConfigureRequest) -> rpc.ConfigureResponse:
        """Check the login; raises ProviderError for a wrong one, so that no preview is green with it."""
        account = Account(arguments.provider_arguments(plain(request.args)))
        if account.checked:
            await self._run(account.check)
        self._configured = account
        return rpc.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def invoke(self, request: rpc.InvokeRequest) -> rpc.InvokeResponse:
        """Functions are not served."""
        raise ProviderError(f"{request.tok}: {unsupported('aws')}")

    async def check(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """The inputs with a name, or everything that is wrong with them."""
        inputs, kind = plain(request.new_inputs), KINDS.get(type_of(request.urn))
        found = arguments.problems(type_of(request.urn), inputs)
        if found or kind is None:
            return rpc.CheckResponse(request.new_inputs, [_failure(*problem) for problem in found])
        if kind.name and not inputs.get(kind.name):
            before = plain(request.old_inputs).get(kind.name)
            unique = f"{kind.name_prefix}{request.name}-{(request.random_seed or os.urandom(4))[:4].hex()[:7]}"
            return rpc.CheckResponse({**request.new_inputs, kind.name: PropertyValue(before or unique)})
        return rpc.CheckResponse(request.new_inputs)

    async def diff(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """What changes against the inputs of the last `up` or refresh, and against the provider's tags."""
        state, new, kind = plain(request.old_state), plain(request.new_inputs), KINDS.get(type_of(request.urn))
        found = [
            change
            for change in changes((), mapping(state.get(INPUTS)), new)
            if not any(change.ignored(path) for path in request.ignore_changes)
        ]
        fields = [(key,) for key in new.keys() | mapping(state.get(INPUTS)).keys() if kind and kind.replaces(key)]
        details = differences(found, fields)
        if _ALL_TAGS in state and not is_unknown(new.get("tags")) and self._tags(new) != state[_ALL_TAGS]:
            details.setdefault(_ALL_TAGS, rpc.PropertyDiff(rpc.PropertyDiffKind.UPDATE, input_diff=False))
        replaces = [key for key, detail in details.items() if detail.kind in REPLACING.values()]
        return rpc.DiffResponse(
            changes=bool(details),
            replaces=replaces,
            # A name that stays the same can be taken only once.
            delete_before_replace=bool(replaces) and not (kind and kind.name and kind.name in replaces),
            diffs=sorted({key.partition(".")[0].partition("[")[0] for key in details}),
            detailed_diff=details,
        )

    async def create(self, request: rpc.CreateRequest) -> rpc.CreateResponse:
        """Create and wait until it is ready; in preview only check the call that would be made."""
        inputs = plain(request.properties)
        if request.preview:
            await self._rehearse(type_of(request.urn), inputs)
            return rpc.CreateResponse("", self._planned(type_of(request.urn), request.properties, {}))
        kind, service = self._real(type_of(request.urn), inputs)
        given = self._given(kind, inputs)
        operation, arguments_given = kind.create(given)
        with discreet(request.properties):
            answer = await self._run(service.call, operation, arguments_given)
        found = kind.identify(given, answer)
        try:
            with discreet(request.properties):
                await self._run(kind.after, service, found, given)
                state = await self._state(kind, service, found, request.properties)
        except ProviderError as error:
            kept_state = {**request.properties, INPUTS: PropertyValue(dict(request.properties))}
            raise InitError(found, kept_state, request.properties, [str(error)]) from error
        return rpc.CreateResponse(found, state)

    async def update(self, request: rpc.UpdateRequest) -> rpc.UpdateResponse:
        """Do what each changed argument needs; in preview only say what would be known."""
        inputs, before = plain(request.news), plain(request.olds)
        if request.preview:
            await self._rehearse(type_of(request.urn), inputs)
            return rpc.UpdateResponse(self._planned(type_of(request.urn), request.news, before))
        kind, service = self._real(type_of(request.urn), inputs)
        given, old = self._given(kind, inputs), mapping(before.get(INPUTS))
        old = {**old, "tags": before[_ALL_TAGS]} if _ALL_TAGS in before else old
        changed = {key for key in {*given, *old} if given.get(key) != old.get(key)}
        with discreet(request.news):
            if changed & kind.again:
                await self._run(service.call, *kind.create(given))
            # Each once, also where several arguments need the same.
            for change in dict.fromkeys(kind.updates[key] for key in sorted(changed) if key in kind.updates):
                await self._run(change, service, request.resource_id, given)
        return rpc.UpdateResponse(await self._state(kind, service, request.resource_id, request.news))

    async def read(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        """What is there, for refresh; an empty answer when it is gone."""
        kind = self._kind(type_of(request.urn))
        inputs = mapping(plain(request.properties).get(INPUTS))
        if not inputs:
            raise ProviderError(f"import of {request.resource_id}: {unsupported('aws')}")
        service = self._account.service(kind.service)
        try:
            live = await self._run(kind.live, service, request.resource_id, self._given(kind, inputs))
        except GoneError:
            return rpc.ReadResponse("")
        found = properties(self._found(live, inputs), request.inputs)
        state = properties(merged(_untagged(live), plain(found)), request.properties) | {INPUTS: PropertyValue(found)}
        return rpc.ReadResponse(request.resource_id, {**state, **self._tag_output(kind, live)}, found)

    async def delete(self, request: rpc.DeleteRequest) -> None:
        """Delete; gone already is fine."""
        inputs = mapping(plain(request.properties).get(INPUTS))
        kind, service = self._real(type_of(request.urn), {})
        try:
            await self._run(kind.delete, service, request.resource_id, inputs)
        except GoneError:
            return

    @property
    def _account(self) -> Account:
        if self._configured is None:
            raise ProviderError("the aws provider was not configured, because its arguments are not known yet")
        return self._configured

    async def _run(self, function: Callable[..., Any], *given: object) -> Any:  # noqa: ANN401 (as its function)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *given)

    async def _rehearse(self, token: str, inputs: Object) -> None:
        kind = KINDS.get(token)
        if kind is None or has_unknown(inputs) or inputs.keys() - kind.inputs:
            return
        operation, given = kind.create(self._given(kind, inputs))
        wrong = await self._run(self._account.service(kind.service).rehearse, operation, given)
        if wrong:
            raise ProviderError(f"{kind.service} {operation} would be refused: " + "; ".join(wrong))

    def _kind(self, token: str) -> Kind:
        if token not in KINDS:
            raise ProviderError(f"{token}: {unsupported('aws')}. It previews all types, and makes {', '.join(KINDS)}")
        return KINDS[token]

    def _real(self, token: str, inputs: Object) -> tuple[Kind, Service]:
        """What makes a change. Raises ProviderError when none may be made."""
        if not self._account.emulated:
            raise ProviderError(
                "the stand-in aws provider changes nothing in a real account; install the official plugin, "
                "or name an emulator in AWS_ENDPOINT_URL"
            )
        kind, wrong = self._kind(token), has_unknown(inputs)
        if wrong:
            raise ProviderError("an argument is not known, although this is no preview")
        if ignored := sorted(inputs.keys() - kind.inputs):
            raise ProviderError(f"{', '.join(ignored)} of {token}: {unsupported('aws')}")
        return kind, self._account.service(kind.service)

    def _tags(self, inputs: Object) -> Object:
        return {**self._account.tags, **mapping(inputs.get("tags"))}

    def _given(self, kind: Kind, inputs: Object) -> Object:
        tags = {"tags": self._tags(inputs)} if "tags" in kind.inputs else {}
        return {"region": self._account.service(kind.service).region, **inputs, **tags}

    def _planned(self, token: str, values: Values, before: Object) -> Values:
        """Outputs in a preview: what the program gives is known, and what stays is."""
        stays = {key: value for key, value in before.items() if key not in (INPUTS, _ALL_TAGS)}
        return properties(arguments.planned(token, merged(stays, plain(values))), values)

    async def _state(self, kind: Kind, service: Service, found: str, values: Values) -> Values:
        inputs = plain(values)
        live = await self._run(kind.live, service, found, self._given(kind, inputs))
        state = properties(merged(_untagged(live), inputs), values)
        return {**state, INPUTS: PropertyValue(properties(inputs, values)), **self._tag_output(kind, live)}

    def _found(self, live: Object, inputs: Object) -> Object:
        """The inputs that the live object stands for, in the words of the program where they mean the same."""
        there = dict(live)
        if "tags" in live:
            theirs, wanted = mapping(live["tags"]), mapping(inputs.get("tags"))
            ours = {key: item for key, item in self._account.tags.items() if key not in wanted}
            there["tags"] = {key: item for key, item in theirs.items() if ours.get(key) != item}
        extra = {"tags": there["tags"]} if there.get("tags") and "tags" not in inputs else {}
        return {**{key: kept(there.get(key, item), item) for key, item in inputs.items()}, **extra}

    def _tag_output(self, kind: Kind, live: Object) -> Values:
        if "tags" not in kind.inputs:
            return {}
        return properties({_ALL_TAGS: mapping(live.get("tags"))}, {})


def _untagged(live: Object) -> Object:
    """Without the tags: those of the program and the provider's are told apart."""
    return {key: value for key, value in live.items() if key != "tags"}


def _failure(path: str, reason: str) -> rpc.CheckFailure:
    """The engine would show the value of a property that it is given, which may be a secret: so it is given none."""
    return rpc.CheckFailure("", f"{path}: {reason}")
