"""A name is a promise: what the engine knows by a name it deletes when the name is gone."""

from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from components.kubernetes.namespace import Namespace
from tests.mock_engine import STACKS, Recorded
from tools import golden
from tools.golden import committed, difference_problems, listing, lost, lost_problems
from tools.recording.program import run


@pytest.mark.parametrize("stack", STACKS)
def test_the_resources_are_the_committed_ones(program: Callable[..., Recorded], stack: str, preview: bool) -> None:
    recorded = program(stack, preview=preview)
    assert lost_problems(stack, recorded) == []
    assert difference_problems(stack, recorded) == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_type_has_a_name_once(stack: str) -> None:
    lines = [" ".join(line.split(" ")[:2]) for line in committed(stack)]
    assert len(lines) == len(set(lines)) > 100


@pytest.fixture
def small_program(
    engine: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], None]:
    """`small_program(name)`: from now on, the program of the only stack has one component of this name."""
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.setattr(golden, "STACKS", ("local",))

    def choose(name: str) -> None:
        def run_stack(_stack: str, *, preview: bool) -> Recorded:
            return run(in_platform(name), Recorded(), preview=preview)

        monkeypatch.setattr(golden, "run_stack", run_stack)

    return choose


def test_the_command_names_every_difference_and_writes_when_told(
    small_program: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_program("platform")
    assert golden.main([]) == 1
    assert "local: missing in the list: observability:index:Namespace platform" in capsys.readouterr().out
    assert golden.main(["--write"]) == 0
    assert golden.main([]) == 0
    written = (tmp_path / "local.txt").read_text()

    small_program("home")
    assert golden.main(["--write"]) == 1
    shown = capsys.readouterr().out
    assert "local: the engine would delete platform (observability:index:Namespace)" in shown
    assert (tmp_path / "local.txt").read_text() == written, "a list that would lose a resource is not written"
    gone = [line.split(" ")[1] for line in written.splitlines()]
    assert golden.main(["--write", *(f"--removed={name}" for name in gone)]) == 0
    assert "Namespace home" in (tmp_path / "local.txt").read_text()


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
