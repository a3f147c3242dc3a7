"""An engine that is killed during a run loses no resource, and the next run finishes the work."""

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from engine import actions
from engine.workspace import Workspace
from local.errors import LocalError
from local.paths import KUBECONFIG
from local.toolchain import tool
from ops.bench import PROGRAM

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]

SERVICES = 60
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


class Services:
    """A stack with many onboarded services in its own namespace."""

    def __init__(self, state: Path) -> None:
        self.namespace = f"killed-{uuid.uuid4().hex[:8]}"
        config = {"kubeconfig": str(KUBECONFIG), "namespace": self.namespace, "services": str(SERVICES)}
        keyed = {f"bench:{key}": value for key, value in config.items()}
        self.workspace = Workspace(stack="killed", root=PROGRAM, state=state, config=keyed)
        # A process of kubectl for each look takes longer than a run, on a busy machine.
        self._policy = client.PolicyV1Api(new_client_from_config(str(KUBECONFIG)))

    def budgets(self) -> dict[str, str]:
        """Maps the name of each disruption budget in the cluster to its UID."""
        found = self._policy.list_namespaced_pod_disruption_budget(self.namespace)
        return {item.metadata.name: item.metadata.uid for item in found.items}

    def namespace_exists(self) -> bool:
        """Whether the stack's namespace still exists in the cluster."""
        return bool(self._kubectl("get", "namespace", self.namespace, "--ignore-not-found", "--output=name"))

    def recorded(self) -> set[str]:
        """Names of the budgets in the state, including those of pending operations."""
        path = self.workspace.backend / ".pulumi" / "stacks" / "bench" / "killed.json"
        latest = json.loads(path.read_text())["checkpoint"]["latest"]
        under_way = [operation["resource"] for operation in latest.get("pending_operations") or []]
        every = [*latest["resources"], *under_way]
        return {one["urn"].rpartition("::workers-")[2] for one in every if one["type"] == BUDGET}

    def kill_during(self, action: Callable[..., object], until: Callable[[int], bool]) -> None:
        """Run an action of the engine, and kill the engine once `until` is true for the number of budgets."""
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(action, self.workspace, report=lambda _: None)
            while not running.done() and not (self.workspace.locks() and until(len(self.budgets()))):
                time.sleep(0.05)
            assert not running.done(), f"ended before the kill: {running.result()}"
            os.kill(json.loads(self.workspace.locks()[0].read_text())["pid"], signal.SIGKILL)
            with pytest.raises(LocalError):
                running.result()

    def _kubectl(self, *arguments: str) -> str:
        command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def services(tmp_path):
    found = Services(tmp_path)
    yield found
    actions.destroy(found.workspace, report=lambda _: None)
    assert not found.namespace_exists()


def test_the_work_of_a_killed_engine_is_in_the_state_and_the_next_run_finishes_it(services):
    services.kill_during(actions.up, lambda number: number >= SERVICES // 4)
    created = services.budgets()
    assert SERVICES // 4 <= len(created) < SERVICES, "the kill must come before the end of the run"
    assert created.keys() <= services.recorded()
    lines = []
    actions.up(services.workspace, report=lines.append)
    assert "the last run was killed; its lock is released" in lines
    now = services.budgets()
    assert now.keys() == {f"service-{number}" for number in range(SERVICES)}
    assert created.items() <= now.items(), "the next run must neither replace nor lose existing budgets"
    assert actions.up(services.workspace, expect_no_changes=True, report=lambda _: None).count == 0

    services.kill_during(actions.destroy, lambda number: number <= 3 * SERVICES // 4)
    left = services.budgets()
    assert 0 < len(left) <= 3 * SERVICES // 4, "the kill must come before the end of the run"
    assert left.keys() <= services.recorded()
