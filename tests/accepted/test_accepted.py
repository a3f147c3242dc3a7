"""The real programs accept every value that the settings accept. The values are drawn from the settings' models.

A few stacks by default. `--hypothesis-profile=thorough` draws many more.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from settings.values import Values
from tests.accepted import drawn
from tests.accepted.api_server import ApiServer, api_server
from tests.accepted.programs import refusals
from tools.recording.program import reset, run_stack

BATCHES = max(1, hypothesis.settings.default.max_examples // 100) if hypothesis.settings.default else 1
BATCH = ("local", "local", "staging", "staging")
"""Stacks that are judged together: most programs take any number of files at once."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api") / "server") as running:
        yield running


@hypothesis.settings(
    max_examples=BATCHES,
    # A failure names its settings; to shrink them would run the program for minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(st.tuples(*map(drawn.changes, BATCH)))
def test_what_the_settings_accept_every_program_accepts(server: ApiServer, batch: tuple[dict[str, str], ...]) -> None:
    stacks = [run_stack(base, changes=one) for base, one in zip(BATCH, batch, strict=True)]
    reset()
    with TemporaryDirectory() as folder:
        problems = [*refusals(stacks, Path(folder)), *server.refusals(stacks)]
    assert not problems, "\n".join([*problems, *map(str, batch)])


@pytest.mark.parametrize("base", drawn.BASES)
def test_every_setting_has_values_that_are_drawn(base: str) -> None:
    names = {str(field.alias): name for name, field in Values.model_fields.items()}
    for key, field in drawn.fields(base).items():
        assert drawn.value(names[key], field) is not None
