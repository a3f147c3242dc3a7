"""The tests that `make unit` leaves out exist, and other commands run them."""

from tests.mock_engine import ROOT
from tests.scheduling import SLOW
from tests.simulator.test_faults_together import AGAIN, BUDGETS, EVERY_TIME


def test_slow_files_exist() -> None:
    assert [file for file in SLOW if not (ROOT / file).is_file()] == []


def test_cases_of_every_run_are_cases() -> None:
    assert {alert for _, alert in (*AGAIN, *BUDGETS)} > EVERY_TIME


def test_what_make_unit_leaves_out_is_run_elsewhere() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if 'pytest -m "' in line]
    chosen = ["not (e2e or slow or nightly)", "e2e and not nightly", "not nightly", "not (e2e or nightly)"]
    assert [line.split('"')[1] for line in lines] == chosen
    nightly = (ROOT / ".github/workflows/nightly.yml").read_text()
    assert """make unit ARGS="-m 'nightly and not e2e'\"""" in nightly
    assert """make e2e ARGS="-m 'nightly and e2e'\"""" in nightly
    assert "make unit-all" in (ROOT / ".github/workflows/pull-request.yml").read_text()
