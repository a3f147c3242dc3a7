"""The table of engine times shows the time for each number of services, and for one more service."""

import pytest
from rich.console import Console

from engine.workspace import Workspace
from ops import bench


def test_every_number_of_services_has_a_row_with_the_time_for_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(_step: object, workspace: Workspace) -> float:
        return 2 + 0.01 * int(workspace.config["bench:services"])

    monkeypatch.setattr(bench, "_seconds", seconds)
    table = bench._engine_times([100, 1], Console(quiet=True))
    assert [column.header for column in table.columns] == ["services", *bench.STEPS]
    assert [list(column.cells) for column in table.columns] == [["1", "100"], *([["2.0", "3.0 (10)"]] * 4)]
