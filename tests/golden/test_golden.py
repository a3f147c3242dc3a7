"""A name is a promise: what the engine knows by a name it deletes when the name is gone."""

from collections.abc import Callable

import pulumi
import pytest

from components.kubernetes.namespace import Namespace
from tests.golden.listing import file, listing, lost, of_later_systems
from tests.mock_engine import STACKS, Recorded


@pytest.mark.parametrize("stack", STACKS)
def test_the_resources_are_the_committed_ones(
    program: Callable[..., Recorded], stack: str, preview: bool, request: pytest.FixtureRequest
) -> None:
    recorded = program(stack, preview=preview)
    committed = file(stack).read_text().splitlines() if file(stack).exists() else []
    meant = set(request.config.getoption("--removed", default=[]))
    gone = sorted(identity for identity in lost(committed, recorded) if identity[1] not in meant)
    assert gone == [], (
        "renamed or moved without an alias, or removed: the engine would delete these. Give the new ones "
        "aliases=[Alias(name=...)]; what is meant to go: make golden ARGS='--write --removed NAME'"
    )
    if request.config.getoption("--write", default=False) and not preview:
        file(stack).write_text("\n".join(listing(recorded)) + "\n")
        committed = listing(recorded)
    later = of_later_systems(committed)
    now = [line for line in listing(recorded) if line.split(" ")[1] not in later]
    assert now == committed, "if that is meant: make golden ARGS=--write"


@pytest.mark.parametrize("stack", STACKS)
def test_a_type_has_a_name_once(stack: str) -> None:
    lines = [" ".join(line.split(" ")[:2]) for line in file(stack).read_text().splitlines()]
    assert len(lines) == len(set(lines)) > 100


def in_platform(name: str, opts: pulumi.ResourceOptions | None = None) -> Callable[[], object]:
    """A program with one component, which has one child that is named after it."""
    return lambda: Namespace(name, {"name": "observability"}, opts)


@pytest.fixture
def before(engine: Callable[..., Recorded], recorded: Recorded) -> list[str]:
    """The list of a program in which the component is still called `platform`."""
    lines = listing(engine(in_platform("platform")))
    recorded.resources.clear()
    recorded.outputs.clear()
    return lines


def test_a_rename_without_an_alias_is_seen_with_all_that_is_in_it(
    engine: Callable[..., Recorded], before: list[str]
) -> None:
    renamed = engine(in_platform("home"))
    assert {name for _, name, _ in lost(before, renamed)} == {line.split(" ")[1] for line in before}


def test_a_rename_with_an_alias_loses_nothing(engine: Callable[..., Recorded], before: list[str]) -> None:
    alias = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="platform")])
    renamed = engine(in_platform("home", alias))
    assert lost(before, renamed) == set()
    assert any("was=observability:index:Namespace,platform" in line for line in listing(renamed))


def test_a_change_of_protection_or_provider_is_a_change_of_the_list(
    engine: Callable[..., Recorded], before: list[str]
) -> None:
    protected = engine(in_platform("platform", pulumi.ResourceOptions(protect=True)))
    assert lost(before, protected) == set()
    assert [line.replace(" protect", "") for line in listing(protected)] == before != listing(protected)
