"""The workflows' scripts, run with a fake `gh` that records its calls."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.mock_engine import ROOT

SCRIPTS = ROOT / ".github/scripts"
# Records every call. A call with --jq is a query, and $FOUND is its answer.
GH = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
if "--jq" in sys.argv:
    print(os.environ["FOUND"])
"""


@pytest.fixture
def run(tmp_path: Path):
    """`run(script, *arguments, found=...)` gives the exit code, all calls but the first, and standard error.

    The first call is the script's query; `found` is its answer, and `run.question` lists its arguments.
    """
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)

    def call(script: str, *arguments: str, found: str = "") -> tuple[int, list[list[str]], str]:
        calls = tmp_path / "calls"
        calls.write_text("")
        environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "FOUND": found,
            "GITHUB_REPOSITORY": "us/platform",
        }
        done = subprocess.run(
            [SCRIPTS / script, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
        )
        recorded_calls = [json.loads(line) for line in calls.read_text().splitlines()]
        call.question = recorded_calls[:1]
        return done.returncode, recorded_calls[1:], done.stderr

    return call


@pytest.fixture
def comment(tmp_path: Path) -> str:
    (tmp_path / "comment.md").write_text("<!-- observability-preview: staging -->\n## What changes\n")
    return str(tmp_path / "comment.md")


def test_the_first_comment_is_created(run, comment) -> None:
    assert run("one-comment", "7", comment) == (
        0,
        [["api", "--silent", "--method", "POST", "repos/us/platform/issues/7/comments", "-F", f"body=@{comment}"]],
        "",
    )


def test_the_next_comment_replaces_the_first(run, comment) -> None:
    assert run("one-comment", "7", comment, found="11\n12") == (
        0,
        [["api", "--silent", "--method", "PATCH", "repos/us/platform/issues/comments/11", "-F", f"body=@{comment}"]],
        "",
    )


def test_comments_of_other_users_are_left_alone(run, comment) -> None:
    run("one-comment", "7", comment)
    ((*_, question),) = run.question
    assert question.startswith('.[] | select(.user.login == "github-actions[bot]" and (.body | startswith(')


def test_a_comment_without_a_marker_is_refused(run, tmp_path) -> None:
    (tmp_path / "plain.md").write_text("## What changes\n")
    assert run("one-comment", "7", "plain.md") == (
        1,
        [],
        "plain.md: its first line is no marker such as <!-- name -->: ## What changes\n",
    )


def test_drift_opens_one_issue_and_edits_it(run) -> None:
    code, calls, _ = run("one-issue", "drift", "Drift in staging", "open", "issue.md")
    assert (code, [call[:2] for call in calls]) == (0, [["label", "create"], ["issue", "create"]])
    assert calls[0][2] == "drift"
    assert calls[1][-6:] == ["--label", "drift", "--title", "Drift in staging", "--body-file", "issue.md"]
    code, calls, _ = run("one-issue", "drift", "Drift in staging", "open", "issue.md", found="5")
    assert (code, [call[:3] for call in calls]) == (0, [["issue", "edit", "5"]])


def test_no_drift_closes_the_issue_and_opens_none(run) -> None:
    assert run("one-issue", "drift", "Drift in staging", "close", "https://example.com/run")[:2] == (0, [])
    code, calls, _ = run("one-issue", "drift", "Drift in staging", "close", "https://example.com/run", found="5")
    assert (code, [call[:3] for call in calls]) == (0, [["issue", "close", "5"]])


def test_an_action_other_than_open_or_close_is_refused(run) -> None:
    code, calls, error = run("one-issue", "drift", "Drift in staging", "reopen", "x")
    assert (code, calls, error) == (2, [], "one-issue: reopen is neither open nor close\n")
