"""Committed generated files are up to date, and the check finds a stale one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from alerting import loader
from settings import stack_files
from tests.mock_engine import STACKS, Recorded
from tools.generate import deployed
from tools.generate.__main__ import files, main, pictures, stale


def test_every_generated_file_is_up_to_date(program: Callable[..., Recorded]) -> None:
    assert stale(files()) == [], "run: make generate"
    assert stale(pictures(program("local")), folders=()) == [], "run: make generate"


def test_a_stale_a_missing_and_a_forgotten_file_are_found(tmp_path: Path) -> None:
    folder = tmp_path / deployed.FOLDER / "staging"
    folder.mkdir(parents=True)
    for name in ("same", "old", "forgotten"):
        (folder / name).write_text(name)
    prefix = f"{deployed.FOLDER}/staging"
    wanted = {f"{prefix}/same": "same", f"{prefix}/old": "new", f"{prefix}/missing": "missing"}
    assert stale(wanted, tmp_path) == [f"{prefix}/{name}" for name in ("forgotten", "missing", "old")]


def test_the_check_names_the_file_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.generate.__main__.files", lambda: {"docs/new.md": "new"})
    monkeypatch.setattr("tools.generate.__main__.stale", lambda wanted, folders: list(wanted))
    monkeypatch.setattr("tools.generate.__main__.run_stack", lambda _stack: Recorded())
    monkeypatch.setattr("tools.generate.__main__.ROOT", tmp_path)
    assert main(["--check"]) == 1
    assert "docs/new.md: stale; write it with: make generate" in capsys.readouterr().out
    assert not (tmp_path / "docs").exists()
    assert main([]) == 0
    assert (tmp_path / "docs/new.md").read_text() == "new"
    assert (tmp_path / "docs/network.svg").read_text().startswith("<svg"), "drawn once the program can read the others"


@pytest.mark.parametrize("stack", STACKS)
def test_rendered_rules_contain_every_alert_of_a_stack_including_generated_ones(stack: str) -> None:
    changed = stack_files.read(stack).values.get("alertOverrides") or {}
    off = {name for name, change in changed.items() if change.get("enabled") is False}
    documents = [yaml.safe_load(text) for path, text in deployed.files().items() if f"/{stack}/" in path]
    groups = [group for document in documents for group in document.get("groups", [])]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert alerts == set(loader.load().rules()) - off


def test_rendered_rules_contain_no_secret() -> None:
    for path, text in deployed.files().items():
        for line in text.splitlines():
            key, _, value = line.strip().removeprefix("- ").partition(": ")
            if key in ("api_url", "routing_key", "smtp_auth_password"):
                assert value.startswith("<"), f"{path}: {line}"
