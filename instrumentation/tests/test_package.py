"""README's programs run as they stand, and the package has what an index and a user look for."""

import re
import tomllib

import pytest
from fastapi import FastAPI
from observability_fastapi import InstrumentationError

from instrumentation.tests.service import Service
from local.paths import ROOT

FOLDER = ROOT / "instrumentation"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
README = (FOLDER / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("program", "page"), zip(PROGRAMS, ("/metrics", "/internal/metrics"), strict=True))
def test_a_program_of_the_readme_runs_as_it_stands(program: str, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 - our own
    app = names["app"]
    assert isinstance(app, FastAPI)
    service = Service.plain(app)
    assert service.ask("/nothing").headers("x-request-id")
    assert 'service="orders"' in service.ask(page).text
    assert '"operation":' in capsys.readouterr().out


def test_the_wheel_and_the_source_have_the_licence() -> None:
    assert PROJECT["license-files"] == ["LICENSE"]
    assert (FOLDER / "LICENSE").read_text() == (FOLDER.parent / "LICENSE").read_text()


def test_an_index_can_show_where_the_package_comes_from() -> None:
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= PROJECT["urls"].keys()
    assert PROJECT["authors"]
    assert PROJECT["keywords"]
    assert "Framework :: FastAPI" in PROJECT["classifiers"]


def test_the_changelog_is_that_of_this_version() -> None:
    assert f": {PROJECT['version']}" in (FOLDER / "CHANGELOG.md").read_text()


def test_the_readme_names_the_oldest_releases_that_are_tested() -> None:
    (fastapi,) = re.findall(r"^fastapi==(.*)$", (FOLDER / "tests" / "lowest.txt").read_text(), re.MULTILINE)
    (starlette,) = [one.removeprefix("starlette>=") for one in PROJECT["dependencies"] if one.startswith("starlette")]
    assert f"FastAPI {fastapi} and Starlette {starlette}." in README
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} " in README


def test_sending_is_an_extra() -> None:
    assert not any("sdk" in one or "exporter" in one for one in PROJECT["dependencies"])
    assert {"otlp", "grpc"} == PROJECT["optional-dependencies"].keys()
    assert issubclass(InstrumentationError, ValueError)
