"""A state whose files were cut by the end of the engine can be read again."""

from pathlib import Path

import pytest

from engine.checkpoint import repair, tidy


@pytest.mark.parametrize("cut", ["", '{"checkpoint":', None])
def test_a_checkpoint_that_was_cut_is_the_one_before(tmp_path: Path, cut: str | None) -> None:
    checkpoint = tmp_path / "local.json"
    if cut is not None:
        checkpoint.write_text(cut)
    (tmp_path / "local.json.bak").write_text('{"checkpoint": 1}')
    repair(checkpoint)
    assert checkpoint.read_text() == '{"checkpoint": 1}'


def test_attributes_that_were_cut_are_removed_and_the_rest_stays(tmp_path: Path) -> None:
    for name, text in {"a.json": "2", "a.json.bak": "1", "a.json.attrs": "", "a.json.bak.attrs": "{}"}.items():
        (tmp_path / name).write_text(text)
    repair(tmp_path / "a.json")
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "a.json": "2",
        "a.json.bak": "1",
        "a.json.bak.attrs": "{}",
    }


def test_a_stack_that_was_never_written_has_no_checkpoint(tmp_path: Path) -> None:
    repair(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_what_a_full_disk_leaves_is_removed(tmp_path: Path) -> None:
    backend, home = tmp_path / "pulumi", tmp_path / "home"
    files = {
        backend / "locks/dev/a.json.123.tmp": "",
        backend / "meta.yaml": "",
        backend / "stacks/dev.json": '{"checkpoint": 1}',
        home / "workspaces/dev.json": '{"stack":',
        home / "workspaces/other.json": "{}",
        home / "logs/cut.log": "not JSON",
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    tidy(backend, home)
    assert {file.name for file in files if file.exists()} == {"dev.json", "other.json", "cut.log"} - set()
    assert not (home / "workspaces/dev.json").exists()
