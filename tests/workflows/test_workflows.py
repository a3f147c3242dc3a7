"""The workflows run commands that exist, pin their actions, have few permissions, and give forks none."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.toolchain import built
from ops.review.report import MARKER
from settings import versions
from tests.mock_engine import ROOT, STACKS

GITHUB = ROOT / ".github"
FILES = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").rglob("action.yml"))
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$")
SEARCH_DOMAIN = "components/eks/search_domain.py"
"""What takes longest to change."""
ON_EKS = [stack for stack in STACKS if stack != "local"]


def read(file: Path) -> dict[Any, Any]:
    return yaml.safe_load(file.read_text())


def triggers(file: Path) -> dict[str, Any]:
    return read(file)[True]  # YAML 1.1 reads the key `on` as a truth value


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    return read(file)["jobs"]


def steps(file: Path) -> list[dict[str, Any]]:
    content = read(file)
    if "runs" in content:
        return content["runs"]["steps"]
    return [step for job in content["jobs"].values() for step in job.get("steps", [])]


def by_name(name: str) -> Path:
    return GITHUB / "workflows" / f"{name}.yml"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actionlint_finds_nothing(file: Path) -> None:
    done = subprocess.run([built("actionlint"), str(file)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_a_wrong_name(tmp_path: Path) -> None:
    file = tmp_path / "it.yml"
    file.write_text(by_name("drift").read_text().replace("matrix.stack }}-preview", "matrix.stakc }}-preview"))
    done = subprocess.run([built("actionlint"), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "stakc" in done.stdout


@pytest.mark.parametrize("file", [*FILES, *ACTIONS], ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_action_is_pinned_to_a_commit_and_names_its_release(file: Path) -> None:
    for line in file.read_text().splitlines():
        if re.search(r"\buses: (?!\./)", line):
            assert PINNED.search(line), line


def test_an_action_has_one_version_everywhere() -> None:
    found = {
        match.groups() for file in [*FILES, *ACTIONS] for match in re.finditer(PINNED.pattern, file.read_text(), re.M)
    }
    assert len(found) == len({action for action, _ in found})
    assert found


@pytest.mark.parametrize("file", [*FILES, *ACTIONS], ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_make_target_exists(file: Path) -> None:
    wanted = {target for step in steps(file) for target in re.findall(r"\bmake ([\w./-]+)", step.get("run", ""))}
    for target in wanted:
        done = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", "STACK=staging", target],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert "No rule to make target" not in done.stderr, target


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_jobs_for_a_fork_may_only_read(file: Path) -> None:
    assert "pull_request_target" not in triggers(file)
    assert "workflow_run" not in triggers(file)
    assert "secrets." not in file.read_text()
    if "pull_request" in triggers(file):
        for name, job in jobs(file).items():
            rights = job["permissions"]
            if set(rights.values()) != {"read"}:
                assert "head.repo.full_name == github.repository" in job["if"], name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_job_has_its_own_permissions(file: Path) -> None:
    assert read(file)["permissions"] == {}
    allowed = {"contents": "read", "id-token": "write", "pull-requests": "write", "issues": "write"}
    for name, job in jobs(file).items():
        rights = job["permissions"]
        # Code of the repository never runs beside the right to change the repository.
        if "actions/checkout" in json.dumps(job) or "uses" in job or rights["contents"] != "write":
            assert rights["contents"] == "read", name
            assert rights.items() <= allowed.items(), name
        else:
            assert rights == {"contents": "write"}, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_text_of_a_pull_request_becomes_a_command(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", ""), "pass values through env; a shell would run text inside a command"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_jobs_have_a_timeout_and_do_not_pile_up(file: Path) -> None:
    content = read(file)
    # A deployment that waits for its reviewer would hold a group of the workflow, and cancel those behind it.
    assert ("concurrency" in content) is not (file.stem.startswith("deploy"))
    for name, job in jobs(file).items():
        assert "timeout-minutes" in job or "uses" in job, name
    if "defaults" in content:
        assert content["defaults"]["run"]["shell"] == "bash", (
            "the default shell ignores a failure on the left of a pipe"
        )


def test_checkouts_do_not_keep_the_token() -> None:
    found = [step for file in FILES for step in steps(file) if "actions/checkout" in step.get("uses", "")]
    assert len(found) >= 6
    assert all(step["with"]["persist-credentials"] is False for step in found)


def test_jobs_get_their_credentials_by_oidc() -> None:
    users = [job for file in FILES for job in jobs(file).values() if "configure-aws-credentials" in json.dumps(job)]
    assert len(users) == 4
    for job in users:
        assert job["permissions"]["id-token"] == "write"
        assert "environment" in job, "an AWS role trusts an environment, not the whole repository"
        assert "aws-access-key-id" not in json.dumps(job)


def test_each_stack_is_previewed_and_checked_for_drift_and_staging_is_deployed_first() -> None:
    for name, job in (("pull-request", "preview"), ("pull-request", "preview-without-credentials"), ("drift", "drift")):
        assert jobs(by_name(name))[job]["strategy"]["matrix"]["stack"] == ON_EKS
    deploys = jobs(by_name("deploy"))
    assert {job["with"]["stack"] for job in deploys.values() if "with" in job} == set(ON_EKS)
    assert deploys["production"]["needs"] == ["test", "staging"]
    assert deploys["test"]["if"] == "github.ref == 'refs/heads/main'", "only merged changes may be deployed"


def test_only_merged_code_runs_beside_rights_to_write() -> None:
    """A person who starts a workflow by hand also chooses the branch, and so the code that the workflow runs."""
    found = {
        f"{file.stem}: {name}": job.get("if", "")
        for file in FILES
        for name, job in jobs(file).items()
        if "workflow_dispatch" in file.read_text()
        and {name for name, right in job.get("permissions", {}).items() if right == "write"} - {"id-token"}
    }
    assert found.keys() == {"drift: drift", "nightly: issue"}
    assert {name for name, condition in found.items() if "github.ref == 'refs/heads/main'" not in condition} == set()


def test_what_is_merged_is_tested_before_it_is_deployed() -> None:
    test = jobs(by_name("deploy"))["test"]
    assert [step["run"] for step in test["steps"] if "run" in step] == ["make check", "make unit"]
    for stack in ON_EKS:
        assert "test" in jobs(by_name("deploy"))[stack]["needs"]


@pytest.mark.parametrize(
    ("chosen", "staging", "deployed"),
    [
        ("", "success", {"staging", "production"}),
        ("", "failure", {"staging"}),
        ("staging", "success", {"staging"}),
        ("production", "skipped", {"production"}),
    ],
)
def test_one_stack_can_be_deployed_alone(chosen: str, staging: str, deployed: set[str]) -> None:
    """The conditions themselves, in Python's words; `chosen` is empty for a push."""

    def holds(condition: str) -> bool:
        known = {
            "inputs.stack": repr(chosen),
            "needs.test.result": "'success'",
            "needs.staging.result": repr(staging),
            "!cancelled()": "True",
            "&&": "and",
            "||": "or",
        }
        for word, value in known.items():
            condition = condition.replace(word, value)
        return bool(eval(condition.replace("\n", " "), {"__builtins__": {}}))  # noqa: S307

    conditions = {name: job["if"] for name, job in jobs(by_name("deploy")).items() if name in ON_EKS}
    assert {name for name, condition in conditions.items() if holds(condition)} == deployed


def test_a_reviewer_sees_a_fresh_preview_before_approving_and_nobody_cancels_a_waiting_run() -> None:
    stack = jobs(by_name("deploy-stack"))
    assert stack["preview"]["environment"] == "${{ inputs.stack }}-preview"
    assert stack["up"]["needs"] == "preview"
    assert stack["up"]["environment"] == "${{ inputs.stack }}"
    assert "GITHUB_STEP_SUMMARY" in json.dumps(stack["preview"])
    assert stack["up"]["concurrency"] == {"group": "up-${{ inputs.stack }}", "queue": "max"}


def test_a_deployment_has_longer_than_its_longest_wait_and_its_session_outlasts_it() -> None:
    longest = max(int(minutes) for minutes in re.findall(r'"(\d+)m"', (ROOT / SEARCH_DOMAIN).read_text()))
    up = jobs(by_name("deploy-stack"))["up"]
    (session,) = [step["with"]["role-duration-seconds"] for step in up["steps"] if "role-to-assume" in str(step)]
    assert longest + 30 < up["timeout-minutes"] < session / 60


def test_a_tag_on_main_releases_image_wheel_and_notes() -> None:
    release = by_name("release")
    assert triggers(release) == {"push": {"tags": ["v*"]}}
    build, publish = jobs(release)["build"], jobs(release)["publish"]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    for command in (
        "git merge-base --is-ancestor HEAD origin/main",
        'python -m tools.release "$TAG" --notes release/notes.md',
        "docker build --file simulator/Dockerfile",
        "uv build --wheel --out-dir release instrumentation",
    ):
        assert any(command in one for one in commands), command
    (checkout,) = [step["with"] for step in build["steps"] if "actions/checkout" in step.get("uses", "")]
    assert checkout["fetch-depth"] == 0, "without its history, no commit is an ancestor of main"
    assert publish["needs"] == "build"
    for part in ("--verify-tag", "release/notes.md", "release/*.tar.gz", "release/*.whl"):
        assert part in publish["steps"][-1]["run"]


def test_every_night_runs_in_full_what_make_test_samples() -> None:
    nightly = by_name("nightly")
    assert "schedule" in triggers(nightly)
    commands = "\n".join(step.get("run", "") for step in steps(nightly))
    for target in ("fire-alerts", "kill-drill", "bench", "mutants"):
        assert f"make {target}" in commands
    for part in ("--alert", "--system", "--longest-window", "--kills", "--services", "--part"):
        assert part not in commands, "the nightly run must not be limited to a part"
    others = set(jobs(nightly)) - {"issue"}
    assert set(jobs(nightly)["issue"]["needs"]) == others
    for name in others:
        uses = [step.get("uses", "") for step in jobs(nightly)[name]["steps"]]
        assert any(one.startswith("actions/upload-artifact@") for one in uses), name


def test_the_instrumentation_package_is_tested_with_each_python_that_it_names() -> None:
    job = jobs(by_name("observability-ci"))["instrumentation"]
    named = tomllib.loads((ROOT / "instrumentation/pyproject.toml").read_text())["project"]["classifiers"]
    python = "Programming Language :: Python :: "
    tested = job["strategy"]["matrix"]["python"]
    assert tested == [one.removeprefix(python) for one in named if one.startswith(python)]
    assert f"Python {tested[0]} to {tested[-1]}" in (ROOT / "instrumentation/README.md").read_text()
    (given,) = [step["with"] for step in job["steps"] if step.get("uses") == "./.github/actions/set-up"]
    assert given == {"python": "${{ matrix.python }}"}
    (setup,) = [step["with"] for step in steps(ACTIONS[0]) if "setup-python" in step.get("uses", "")]
    assert setup == {"python-version": "${{ inputs.python }}"}
    # With the oldest Python, also the oldest releases.
    (oldest,) = [step for step in job["steps"] if "instrumentation/tests/lowest.txt" in step.get("run", "")]
    assert oldest["if"] == f"matrix.python == '{tested[0]}'"
    assert f"--python {tested[0]} " in oldest["run"]


def test_the_engine_is_the_pinned_one() -> None:
    (version,) = [
        step["with"]["pulumi-version"] for step in steps(ACTIONS[0]) if "pulumi/actions" in step.get("uses", "")
    ]
    assert version == versions.PULUMI


def test_the_comment_of_a_failed_preview_replaces_the_summary(tmp_path: Path) -> None:
    (step,) = [step for step in steps(by_name("pull-request")) if step.get("name") == "The preview failed"]
    environment = {"STACK": "staging", "RUN": "https://example.com/run", "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-ceuo", "pipefail", step["run"]], cwd=tmp_path, env=environment, check=True)
    first, *rest = (tmp_path / "comment.md").read_text().splitlines()
    assert first == MARKER.format(stack="staging")
    assert rest[-1] == "The preview failed: https://example.com/run"


def test_options_of_make_summary_exist() -> None:
    text = (ROOT / "ops/review/command.py").read_text()
    for step in steps(by_name("pull-request")):
        for arguments in re.findall(r'make summary ARGS="([^"]+)"', step.get("run", "")):
            for option in (part for part in shlex.split(arguments) if part.startswith("--")):
                assert option.removeprefix("--") in text, option
