"""A long step says how long it took the last time."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from local import progress


@pytest.fixture
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the times; each step takes 7 s."""
    clock = iter(range(0, 700, 7))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress, "cache", lambda: tmp_path)
    return tmp_path / "times.json"


def run(what: str, *, fails: bool = False) -> None:
    with progress.step(what):
        if fails:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("times")
def test_the_second_time_says_how_long_the_first_took(capsys: pytest.CaptureFixture[str]) -> None:
    for what in ("one", "two", "one"):
        run(what)
    assert capsys.readouterr().err.splitlines() == ["one", "two", "one (last time 7 s)"]


@pytest.mark.usefixtures("times")
def test_an_interrupted_step_is_not_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("one", fails=True)
    run("one")
    assert capsys.readouterr().err.splitlines() == ["one", "one"]


@pytest.mark.parametrize("content", ["", "[]", '{"one": "soon"}', '{"one": null}'])
def test_an_unreadable_file_is_replaced(times: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    times.write_text(content)
    run("one")
    run("one")
    assert capsys.readouterr().err.splitlines() == ["one", "one (last time 7 s)"]


def test_a_terminal_counts_what_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "cache", lambda: tmp_path)
    (tmp_path / "times.json").write_text('{"one": 90}')
    shown = StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(file=shown, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    )
    run("one")
    run("two")
    first, _, second = shown.getvalue().partition("about 90 s left")
    assert first
    assert "0:00:00" in second, "a first time shows the time since its begin"


def test_a_step_that_takes_longer_says_so() -> None:
    task = SimpleNamespace(total=10.0, elapsed=12.0)
    assert progress._Left().render(cast(Any, task)).plain == "longer than the last time"
    assert progress._Left().render(cast(Any, SimpleNamespace(total=None, elapsed=1.0))).plain == ""


def test_what_is_left_follows_the_speed_of_this_machine() -> None:
    left = progress.Remaining({"a": 600, "b": 1200, "c": 60}, cores=2)
    assert str(left) == "about 16 min left"
    left.finish("a", 300)
    assert str(left) == "about 5 min left", "it is twice as fast as expected"
    left.finish("b", 600)
    assert str(left) == "less than a minute left"
    left.finish("c", 30)
    assert str(left) == "less than a minute left"
