"""The order of the tests, and how pytest-xdist distributes them.

All tests of a file run in one worker. Files that share an expensive server run in the same worker.
"""

import functools
import re
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.mock_engine import ROOT

FIRST = (
    # The drill, and the tests that read its record. The drill waits for minutes until its alerts end.
    *("test_fire_alerts", "test_alert_smoke"),
    # Tests that need every pod, like the drill until its faults are over.
    *("test_traces", "test_correlation", "test_e2e_metrics_logs"),
)
"""Test files on the running cluster that begin first, in this order."""
BUSY = ("tests/rules/test_rules.py", "tests/simulator/test_faults_fire_their_alerts.py")
"""Files without a cluster that keep a processor busy for more than a minute. They begin after FIRST."""
ON_CLUSTER = (
    # Tests that need every pod.
    *("test_platform", "test_otlp_only", "test_attack", "test_monitors"),
    # Long tests that have their own cluster or their own objects.
    *("test_cluster", "test_lost_cluster", "test_lifecycle", "test_killed_engine", "test_provider"),
)
"""Test files on the running cluster that begin after BUSY, in this order; all others on it come after them."""
LATE = (
    # All queries find what the rules read of the last minutes, so not in the minutes after the first start.
    "test_quickstart",
    # Tests that kill pods. They would wait for the drill.
    *("test_kill_drill", "test_logs"),
)
"""Test files on the cluster that come after the slow tests without one."""
LONG = ("tests/rules/test_counting.py",)
"""Files that take long, but belong to `make unit`: what the rules do."""
SLOW = (
    "tests/accepted/test_accepted.py",
    "tests/backends/test_alert_restarts.py",
    "tests/backends/test_endless_series.py",
    "tests/backends/test_image_registry.py",
    "tests/backends/test_jaeger_opensearch.py",
    "tests/backends/test_loki_s3.py",
    "tests/backends/test_monitors.py",
    "tests/backends/test_opensearch_spans.py",
    "tests/backends/test_remote_write.py",
    "tests/backends/test_rolling_restarts.py",
    "tests/collector/test_accounting.py",
    "tests/collector/test_log_restarts.py",
    "tests/collector/test_oversized.py",
    "tests/collector/test_refused_requests.py",
    "tests/collector/test_sampling.py",
    "tests/collector/test_span_accounting.py",
    "tests/collector/test_stack_traces.py",
    "tests/collector/test_xray.py",
    "tests/components/metrics/monitors/test_promtool.py",
    "tests/components/metrics/monitors/test_reader.py",
    "tests/components/test_secret_rotation.py",
    "tests/eks/network/test_program.py",
    "tests/eks/preflight/test_preflight.py",
    "tests/eks/preflight/test_preflight_cluster.py",
    "tests/eks/test_platform.py",
    "tests/engine/test_actions.py",
    "tests/engine/test_aws_engine.py",
    "tests/engine/test_ended_run.py",
    "tests/engine/test_grafana_engine.py",
    "tests/engine/test_offline_preview.py",
    "tests/engine/test_rights.py",
    "tests/golden/test_golden.py",
    "tests/log_index/test_opensearch_restarts.py",
    "tests/manual/test_commands.py",
    "tests/onboarding/test_sixth_system.py",
    "tests/ops/drills/test_fire_alerts.py",
    "tests/ops/drills/test_kill_drill.py",
    "tests/ops/queries/test_check_queries.py",
    "tests/ops/replay/test_command.py",
    "tests/ops/replay/test_incident.py",
    "tests/ops/replay/test_replay.py",
    "tests/ops/replay/test_twenty_edits.py",
    "tests/ops/replay/test_routes_as_alertmanager.py",
    "tests/ops/start_page/test_in_a_browser.py",
    "tests/ops/test_drift.py",
    "tests/ops/messages/test_limits.py",
    "tests/rules/checks/test_storm.py",
    "tests/rules/loki/test_restart.py",
    "tests/rules/loki/test_ruler.py",
    "tests/rules/test_alertmanager_mutes.py",
    "tests/simulator/test_faults_fire_their_alerts.py",
    "tests/simulator/test_faults_together.py",
    "tests/simulator/test_logs.py",
    "tests/simulator/test_observability.py",
    "tests/simulator/test_prometheus_scrapes.py",
    "tests/tools/test_mutation_smoke.py",
    "instrumentation/tests/test_bench_middleware.py",
    "instrumentation/tests/test_load.py",
)
"""Files that take more than five seconds each: they start engines and servers, or simulate hours.

They get the mark `slow`, with which `make unit` leaves them out.
"""
_GROUP = re.compile(r"""pytest\.mark\.xdist_group\(["']([\w-]+)["']\)""")


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they are distributed.

    Most tests on the cluster wait for it, so they begin early. Two busy files begin among them and use the processors
    meanwhile. Long files come before short ones, so that all workers end at about the same time.
    """
    return sorted(items, key=_place)


def _place(item: pytest.Item) -> tuple[int, int]:
    """The phase in which the test is distributed, and its file's place in the phase."""
    name, path = item.path.stem, item.path.as_posix()
    if path.endswith(BUSY):
        return 1, 0
    if item.get_closest_marker("e2e"):
        for phase, names in ((0, FIRST), (2, ON_CLUSTER), (4, LATE)):
            if name in names:
                return phase, names.index(name)
        return 2, len(ON_CLUSTER)
    long = item.get_closest_marker("slow") or path.endswith(LONG)
    return (3, 0) if long else (5, 0)


class ByServer(LoadFileScheduling):
    """Groups tests by file, or by the mark `xdist_group` in the file's `pytestmark`.

    It replaces `--dist loadgroup`, which has no effect: pytest 9.1 and later ignore the group that pytest-xdist 3.8
    appends to a test's id.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@functools.cache
def group_of(file: str) -> str:
    """The group of a test file: the name in its mark, else the file's path, which is relative to the project."""
    found = _GROUP.search((ROOT / file).read_text())
    return found[1] if found else file
