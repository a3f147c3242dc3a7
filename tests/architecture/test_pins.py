"""Renovate updates every pinned version, and files that repeat a version or a path name the right one."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import images, versions
from tests.mock_engine import ROOT

RENOVATE: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
DOCKERFILE = (ROOT / "simulator/Dockerfile").read_text()
OURS = {"SIMULATOR"}
"""Versions of this project's own programs."""


def matches(manager: dict[str, Any], text: str) -> list[re.Match[str]]:
    """Matches of a custom Renovate manager in a text. Named groups have no P in JavaScript, but need one in Python."""
    patterns = [pattern.replace("(?<", "(?P<") for pattern in manager["matchStrings"]]
    return [match for pattern in patterns for match in re.finditer(pattern, text)]


def files(manager: dict[str, Any]) -> list[Path]:
    patterns = [re.compile(pattern.strip("/")) for pattern in manager["managerFilePatterns"]]
    candidates = (ROOT / "settings/versions.py", ROOT / "Makefile", ROOT / "simulator/Dockerfile")
    actions = (ROOT / ".github/actions").rglob("action.yml")
    return [file for file in (*candidates, *actions) if any(p.search(str(file.relative_to(ROOT))) for p in patterns)]


DIGESTS = [one for one in RENOVATE["customManagers"] if "currentDigest" in one["matchStrings"][0]]
"""The manager of digests in stack files, none of which has one here."""


@pytest.mark.parametrize(
    "manager", [one for one in RENOVATE["customManagers"] if one not in DIGESTS], ids=lambda one: one["matchStrings"][0]
)
def test_every_manager_finds_a_pin_in_each_of_its_files(manager: dict[str, Any]) -> None:
    assert len(files(manager)) == len(manager["managerFilePatterns"])
    for file in files(manager):
        assert matches(manager, file.read_text()), file


def test_every_version_has_one_manager() -> None:
    text = (ROOT / "settings/versions.py").read_text()
    managers = [one for one in RENOVATE["customManagers"] if ROOT / "settings/versions.py" in files(one)]
    found = [match["currentValue"] for manager in managers for match in matches(manager, text)]
    pinned = {
        name: value
        for name, value in vars(versions).items()
        if name.isupper() and isinstance(value, str) and not name.endswith("_IMAGE") and name not in OURS
    }
    assert len(pinned) > 15
    assert sorted(found) == sorted([*pinned.values(), *versions.EKS_ADDONS.values()])


def test_every_built_program_is_in_a_group_with_its_pin() -> None:
    grouped = {name for rule in RENOVATE["packageRules"] if "groupName" in rule for name in rule["matchPackageNames"]}
    for file in sorted((ROOT / "local/tools").glob("*/go.mod")):
        if direct := re.search(r"^require \(?\s*(\S+) v", file.read_text(), re.MULTILINE):
            assert any(
                re.search(name.strip("/"), direct[1]) if name.startswith("/") else name == direct[1] for name in grouped
            ), f"{file.parent.name}: {direct[1]} is in no group of renovate.json"


def test_digests_of_a_stack_move_with_the_version_of_their_program() -> None:
    """A preview refuses a digest of another version, so both must be in one pull request."""
    (manager,) = DIGESTS
    (pattern,) = manager["managerFilePatterns"]
    for stack in ("staging", "production", "eu.west"):
        assert re.search(pattern.strip("/"), f"Pulumi.{stack}.yaml")
    assert not re.search(pattern.strip("/"), "Pulumi.yaml")
    digest = f"sha256:{'0a' * 32}"
    digests: dict[str, str] = dict.fromkeys(images.OF_THIS_VERSION, digest)
    for style in (None, '"'):
        text = yaml.safe_dump({"config": {"observability:imageDigests": digests}}, default_style=style, width=1000)
        found = {f"{one['depName']}:{one['currentValue']}" for one in matches(manager, text)}
        assert found == {*images.OF_THIS_VERSION}
        assert {one["currentDigest"] for one in matches(manager, text)} == {digest}
    groups = [rule["matchPackageNames"] for rule in RENOVATE["packageRules"] if "groupName" in rule]
    pins = {one["depNameTemplate"] for one in RENOVATE["customManagers"] if "depNameTemplate" in one}
    for image in images.OF_THIS_VERSION:
        (group,) = (names for names in groups if image.rpartition(":")[0] in names)
        assert pins & {*group}, f"{image}: its group has no pin"


def test_a_replaced_tag_is_looked_at_by_a_person() -> None:
    (rule,) = (one for one in RENOVATE["packageRules"] if one.get("matchUpdateTypes") == ["digest"])
    assert rule["matchFileNames"] == ["Pulumi.*.yaml"]
    assert rule["dependencyDashboardApproval"] is True


def test_uv_has_one_version() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["tools"]
    (project,) = [one.removeprefix("uv==") for one in tools if one.startswith("uv==")]
    makefile = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    image = re.search(r"^ARG UV_VERSION=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert makefile is not None
    assert image is not None
    assert {makefile[1], image[1]} == {project}
    assert "uv==${UV_VERSION}" in DOCKERFILE


def test_images_outside_of_the_program_name_a_release() -> None:
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"[\w./]+/python:3\.\d+\.\d+-slim-\w+", bases.pop())
    container = (ROOT / ".devcontainer/devcontainer.json").read_text()
    assert re.search(r'"image": "[\w./]+/debian:12\.\d+"', container)


def test_the_image_that_the_dockerfile_builds_is_the_pinned_one() -> None:
    assert f"{versions.SIMULATOR_IMAGE} ." in DOCKERFILE


def patterns(file: str) -> list[str]:
    """The path patterns that a file lists: the first word of each line."""
    lines = (ROOT / file).read_text().splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith(("#", "*"))]


@pytest.mark.parametrize("file", [".github/CODEOWNERS", ".gitattributes"])
def test_every_pattern_matches_a_file(file: str) -> None:
    for pattern in patterns(file):
        assert list(ROOT.glob(pattern.strip("/"))), f"{file}: {pattern} matches nothing"
