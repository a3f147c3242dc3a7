"""A resource as a rule sees it, and the two kinds of rules. Knows neither the engine nor the tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast


class Unknown:
    """Stands for a value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "(known after the update)"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource before it is created or changed."""

    type: str
    """Type token, as in `kubernetes:apps/v1:Deployment`."""
    name: str
    """Logical name."""
    props: Mapping[str, Any]
    """Inputs with the provider's names (camelCase); what a preview does not know is UNKNOWN."""
    protect: bool = False
    secret: frozenset[str] = frozenset()
    """Inputs that carry a secret. The engine does not tell a policy pack; the tests know."""
    dependencies: frozenset[str] = field(default=frozenset[str]())
    """Logical names of the resources whose outputs the inputs come from."""

    @property
    def kind(self) -> str:
        """The type without package and version."""
        return self.type.rsplit(":", 1)[-1]

    @property
    def kubernetes(self) -> bool:
        """Whether it is an object of the cluster."""
        return self.type.startswith("kubernetes:")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that one resource alone keeps or breaks."""

    name: str
    description: str
    check: Callable[[Resource], Iterator[str]]
    """Gives the problems: what is there, and what is allowed."""
    advisory: bool = False
    """Told, but no preview fails: there are times when it is broken on purpose."""


@dataclass(frozen=True, kw_only=True)
class StackRule:
    """A rule that needs more than one resource to judge."""

    name: str
    description: str
    check: Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]
    advisory: bool = False


def at(value: Any, *path: str) -> Any:  # noqa: ANN401 (inputs have no static type)
    """What stands in nested objects under `path`: None where it is not set, UNKNOWN where a part is not known yet."""
    for key in path:
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping):
            return None
        value = cast(Mapping[str, Any], value).get(key)
    return value


def elements(value: Any) -> list[Any]:  # noqa: ANN401 (inputs have no static type)
    """The known elements of a list; a single value counts as a list of one, nothing and UNKNOWN as empty."""
    if value is None or value is UNKNOWN:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [element for element in cast(Sequence[Any], value) if element is not UNKNOWN]
    return [value]


def is_true(value: Any) -> bool:  # noqa: ANN401 (inputs have no static type)
    """Whether a value is true, or may be."""
    return value is UNKNOWN or value is True or value == "true"


def of(resources: Sequence[Resource], type_: str) -> list[Resource]:
    """The resources of one type."""
    return [resource for resource in resources if resource.type == type_]


def belonging(resources: Sequence[Resource], type_: str, owner: Resource, key: str) -> list[Resource]:
    """The resources of a type that name `owner` in the input `key`, by its own physical name or by its output."""
    physical = owner.props.get(key)
    return [
        side
        for side in of(resources, type_)
        if owner.name in side.dependencies or (isinstance(physical, str) and side.props.get(key) == physical)
    ]
