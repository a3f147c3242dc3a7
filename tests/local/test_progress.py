"""A long step says how long it took the last time."""

from pathlib import Path

import pytest

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
