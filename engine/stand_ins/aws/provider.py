"""Previews resources of the `aws` provider: checks every argument against the SDK's classes, and changes nothing.

A preview outputs the inputs; everything else is unknown. Changes in an account need the official plugin.
"""

import asyncio
from typing import NoReturn

from pulumi.provider.experimental import provider as rpc

from engine.stand_ins.aws import arguments
from engine.stand_ins.aws.account import SUPPORTED, Account
from engine.stand_ins.errors import ProviderError, unsupported
from engine.stand_ins.values import plain, properties, type_of


class AwsProvider(rpc.Provider):
    """One configured provider; the engine calls its methods concurrently on one event loop."""

    async def check_config(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Refuses arguments of the provider that are wrong, or that would be ignored."""
        given = arguments.provider_arguments(plain(request.new_inputs))
        failures = [_failure(*problem) for problem in arguments.provider_problems(given)]
        failures += [_failure(key, unsupported("aws")) for key in sorted(given.keys() - SUPPORTED)]
        return rpc.CheckResponse(request.new_inputs, failures)

    async def diff_config(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """Lists changed arguments; another region is another place and replaces every resource."""
        old, new = plain(request.old_state), plain(request.new_inputs)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return rpc.DiffResponse(replaces=[key for key in changed if key == "region" and old.get(key)], diffs=changed)

    async def configure(self, request: rpc.ConfigureRequest) -> rpc.ConfigureResponse:
        """Checks the login. Raises ProviderError for a wrong one, so that no preview is green with it."""
        account = Account(arguments.provider_arguments(plain(request.args)))
        if account.checked:
            await asyncio.get_running_loop().run_in_executor(None, account.check)
        return rpc.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Returns the inputs, or a failure for every wrong argument."""
        found = arguments.problems(type_of(request.urn), plain(request.new_inputs))
        return rpc.CheckResponse(request.new_inputs, [_failure(*problem) for problem in found])

    async def create(self, request: rpc.CreateRequest) -> rpc.CreateResponse:
        """Returns the planned outputs. Raises ProviderError outside a preview."""
        if not request.preview:
            _refuse("create", request.urn)
        token, given = type_of(request.urn), plain(request.properties)
        return rpc.CreateResponse("", properties(arguments.planned(token, given), request.properties))

    async def diff(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """Refuses: a state with AWS resources comes from the official plugin, and so must the comparison with it."""
        _refuse("compare", request.urn)

    async def read(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        """Refuses."""
        _refuse("read", request.urn)

    async def update(self, request: rpc.UpdateRequest) -> rpc.UpdateResponse:
        """Refuses."""
        _refuse("update", request.urn)

    async def delete(self, request: rpc.DeleteRequest) -> None:
        """Refuses."""
        _refuse("delete", request.urn)

    async def invoke(self, request: rpc.InvokeRequest) -> rpc.InvokeResponse:
        """Refuses: functions would ask the account."""
        raise ProviderError(f"{request.tok}: {unsupported('aws')}")


def _refuse(action: str, urn: str) -> NoReturn:
    raise ProviderError(
        f"{action} {type_of(urn)}: the stand-in aws provider only previews new resources; "
        "install the official plugin to use it"
    )


def _failure(path: str, reason: str) -> rpc.CheckFailure:
    """A failure without a property: the engine would print the value of the property, which may be a secret."""
    return rpc.CheckFailure("", f"{path}: {reason}")
