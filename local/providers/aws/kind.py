"""What the provider has to know of one type of resource, so that a kind is a row of a table."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from local.providers.aws.service import Service
from local.providers.values import Object, mapping


class Request(NamedTuple):
    """A call to a service, in Pulumi's spelling."""

    operation: str
    given: Object


Change = Callable[[Service, str, Object], object]
"""Does something about the object with this id; the inputs are the new ones."""


def nothing(_service: Service, _id: str, _inputs: Object) -> None:
    """Needs no call."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One type of resource. Inputs come with the provider's region and default tags in them."""

    token: str
    service: str
    """As boto3 calls it."""
    inputs: frozenset[str]
    """Arguments that are understood by `up`; a preview takes whatever the SDK knows."""
    create: Callable[[Object], Request]
    identify: Callable[[Object, Object], str]
    """Id, from the inputs and the answer to `create`."""
    live: Callable[[Service, str, Object], Object]
    """Properties as the service has them, in the spelling of the inputs where both speak of one thing.

    Raises GoneError when there is no such object.
    """
    delete: Change
    after: Change = nothing
    """What follows `create` before the object is ready."""
    updates: Mapping[str, Change] = field(default_factory=dict[str, Change])
    """What a change of an argument needs; those that are named nowhere need another object."""
    again: frozenset[str] = frozenset()
    """Arguments that are changed by `create` with the new inputs."""
    local: frozenset[str] = frozenset()
    """Arguments that only the provider itself reads: their change needs no call."""
    name: str = ""
    """Argument that gets a unique name when the program gives none."""
    name_prefix: str = ""
    """What such a name begins with."""

    def replaces(self, argument: str) -> bool:
        """Whether its change makes another object."""
        return argument in self.inputs and argument not in {*self.updates, *self.again, *self.local}


def only(inputs: Object, *names: str) -> Object:
    """The given arguments of `inputs`, as far as there are any."""
    return {name: inputs[name] for name in names if name in inputs}


def without(inputs: Object, *names: str) -> Object:
    """`inputs` except these; those of the provider itself never go to a service."""
    return {key: value for key, value in inputs.items() if key not in (*names, "region")}


def text(value: object) -> str:
    """A policy as text; the program may also give it as an object."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def merged(under: Object, over: Object) -> Object:
    """`over`, and from `under` what it does not speak of, also inside objects."""
    both = {
        key: merged(mapping(under[key]), mapping(value))
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(under.get(key), dict)
    }
    return {**under, **over, **both}


def kept(live: object, given: object) -> object:
    """`given` when `live` means the same: JSON in another spelling, or a list in another order."""
    if isinstance(live, list) and isinstance(given, list):
        same = sorted(map(_canonical, live)) == sorted(map(_canonical, given))  # pyright: ignore[reportUnknownArgumentType]
        return given if same else live
    return given if _canonical(live) == _canonical(given) else live


def _canonical(value: object) -> str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, sort_keys=True, default=str)
