"""The order of the tests on the cluster, and the locks that they need. These tests need no cluster."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from tests.mock_engine import ROOT
from tests.scheduling import BUSY, FIRST, LATE, LONG, ON_CLUSTER, group_of, in_order

FOLDERS = ("tests/e2e", "tests/observability")
# They have a cluster or objects of their own, hold the lock themselves while they need the pods, or ask only a service,
# which nobody kills and which may run elsewhere.
WITHOUT_LOCK = {
    *("test_cluster", "test_lost_cluster", "test_lifecycle", "test_killed_engine", "test_provider", "test_pod_network"),
    *("test_fire_alerts", "test_alert_smoke", "test_request_id", "test_contract_metrics"),
}
MARK = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.e2e\b", re.MULTILINE)


def marked(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("test_*.py") if MARK.search(file.read_text())}


def test_make_e2e_runs_all_folders_with_tests_on_the_cluster() -> None:
    files = {file for folder in FOLDERS for file in marked(ROOT / folder)}
    assert files
    assert marked(ROOT / "tests") == files
    (command,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "tests/e2e" in line]
    assert all(folder in command.split() for folder in FOLDERS)


def test_the_order_names_existing_files() -> None:
    names = {file.stem for folder in FOLDERS for file in marked(ROOT / folder)}
    assert {*FIRST, *ON_CLUSTER, *LATE} <= names
    assert [file for file in (*BUSY, *LONG) if not (ROOT / file).is_file()] == []


def test_tests_that_need_pods_and_tests_that_kill_pods_hold_their_locks() -> None:
    killers = set[str]()
    for folder in FOLDERS:
        for file in marked(ROOT / folder):
            text = file.read_text()
            if "delete_namespaced_pod(" in text or '"kill-drill"' in text:
                killers.add(file.stem)
                assert 'usefixtures("killer")' in text, file.name
            elif 'usefixtures("all_pods")' not in text:
                assert file.stem in WITHOUT_LOCK, f"{file.name} neither needs every pod nor kills one"
    assert killers == {"test_kill_drill", "test_logs"} < set(LATE)


def test_tests_that_share_a_project_of_the_api_run_one_after_the_other() -> None:
    """The exemplar of a request is replaced by that of the next request of its project."""
    files = {file for folder in FOLDERS for file in marked(ROOT / folder) if "X-Project-Id" in file.read_text()}
    together = {file.stem for file in files if group_of(str(file.relative_to(ROOT))) == "api-probe"}
    assert together == {file.stem for file in files} - {"test_otlp_only"}, "only that one has an API of its own"
    assert len(together) > 1


def item(name: str, *marks: str) -> Any:
    found = Mock(path=Path(f"{name}.py"))
    found.get_closest_marker.side_effect = lambda mark: mark in marks
    return found


def test_tests_on_the_cluster_come_first_then_slow_ones_then_late_ones() -> None:
    unit, slow, other = item("test_a"), item("test_b", "slow"), item("test_c", "e2e")
    first, then, late = ([item(name, "e2e") for name in names] for names in (FIRST, ON_CLUSTER, LATE))
    busy = [item(name.removesuffix(".py")) for name in BUSY]
    wanted = [*first, *busy, *then, other, slow, *late, unit]
    assert in_order([*late, other, unit, slow, *reversed(then), *reversed(first), *busy]) == wanted
