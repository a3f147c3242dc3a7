"""The resources that rules check, and the two types of rules. Independent of the engine and of the tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast


class Unknown:
    """Type of UNKNOWN, which replaces a value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "(known after the update)"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource before it is created or changed."""

    type: str
    """Type token, such as `kubernetes:apps/v1:Deployment`."""
    name: str
    """Logical name."""
    props: Mapping[str, Any]
    """Inputs under the provider's names (camelCase). A value that a preview does not know is UNKNOWN."""
    protect: bool = False
    secret: frozenset[str] = frozenset()
    """Inputs that contain a secret. The engine does not report them to a policy pack; the tests fill them in."""
    dependencies: frozenset[str] = field(default=frozenset[str]())
    """Logical names of the resources whose outputs the inputs use."""

    @property
    def kind(self) -> str:
        """The type without its package and version."""
        return self.type.rsplit(":", 1)[-1]

    @property
    def kubernetes(self) -> bool:
        """Whether the resource is a Kubernetes object."""
        return self.type.startswith("kubernetes:")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that checks one resource at a time."""

    name: str
    description: str
    check: Callable[[Resource], Iterator[str]]
    """Yields the problems: each names the current value, and what is allowed."""
    advisory: bool = False
    """Whether violations are reported without failing the preview, for rules that may be broken on purpose."""


@dataclass(frozen=True, kw_only=True)
class StackRule:
    """A rule that checks all resources of a stack together."""

    name: str
    description: str
    check: Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]
    advisory: bool = False


def at(value: Any, *path: str) -> Any:  # noqa: ANN401 (inputs have no static type)
    """The value at `path` in nested objects. None if it is not set, UNKNOWN if a part of the path is unknown."""
    for key in path:
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping):
            return None
        value = cast(Mapping[str, Any], value).get(key)
    return value


def elements(value: Any) -> list[Any]:  # noqa: ANN401 (inputs have no static type)
    """The known elements of a list. A single value counts as a list of one; None and UNKNOWN count as empty."""
    if value is None or value is UNKNOWN:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [element for element in cast(Sequence[Any], value) if element is not UNKNOWN]
    return [value]


def is_true(value: Any) -> bool:  # noqa: ANN401 (inputs have no static type)
    """Whether a value is true, or may become true because it is unknown."""
    return value is UNKNOWN or value is True or value == "true"


def of(resources: Sequence[Resource], type_: str) -> list[Resource]:
    """The resources of one type."""
    return [resource for resource in resources if resource.type == type_]


def belonging(resources: Sequence[Resource], type_: str, owner: Resource, key: str) -> list[Resource]:
    """The resources of a type that refer to `owner` in the input `key`, by its physical name or by an output."""
    physical = owner.props.get(key)
    return [
        side
        for side in of(resources, type_)
        if owner.name in side.dependencies or (isinstance(physical, str) and side.props.get(key) == physical)
    ]
