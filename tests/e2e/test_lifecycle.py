"""The lifecycle of a stack with the real engine and a real API server: up, refresh, a changed rule, drift, destroy."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from engine import actions
from engine.workspace import Workspace
from local import choice
from local.errors import LocalError
from local.paths import KUBECONFIG, ROOT
from tests.e2e.conftest import eventually

pytestmark = pytest.mark.e2e
NAMESPACE = "e2e-lifecycle"
Ask = Callable[[str, str, int, str], Any]


def _workspace(state: Path, **changes: Any) -> Workspace:
    """A stack beside the local one, with the same values but other names, one replica of each, and no simulator."""
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    own = {
        "kubeconfig": str(KUBECONFIG),
        "builtImages": str(choice.builds_images()).lower(),
        "clusterName": NAMESPACE,
        "namespace": NAMESPACE,
        "simulator": "false",
        "prometheusReplicas": "1",
        "alertmanagerReplicas": "1",
        "prometheusMemory": "256Mi",
        "collectorReplicas": "1",
        "alertOverrides": {},
        # Not every machine has an image of Grafana. Without a server, its content is written to files.
        "grafana": "false",
        **changes,
    }
    values = {**config, **{f"observability:{key}": value for key, value in own.items()}}
    return Workspace(stack="e2e", config=values, state=state)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, core: client.CoreV1Api) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    yield folder
    if any(item.metadata.name == NAMESPACE for item in core.list_namespace().items):
        actions.destroy(_workspace(folder))


def _quiet(_line: str) -> None:
    return


@pytest.mark.nightly  # it deploys a second platform; the steps on a small stack are in test_provider.py
def test_a_stack_from_its_first_up_to_its_destroy(core: client.CoreV1Api, ask: Ask, state: Path) -> None:
    stack = _workspace(state)
    created = actions.up(stack, report=_quiet)
    assert created.changes.keys() == {"create"}

    assert actions.up(stack, expect_no_changes=True, report=_quiet).unchanged == created.count
    assert actions.outputs(stack)["endpoints"]["prometheus"]["url"] == f"http://prometheus.{NAMESPACE}.svc:9090"

    # An object that somebody deleted by hand is drift for refresh, and there is no other.
    policy = client.PolicyV1Api(core.api_client)
    policy.delete_namespaced_pod_disruption_budget("prometheus", NAMESPACE)
    with pytest.raises(LocalError, match=r"expected, but there are 1:\n.*prometheus-budget"):
        actions.refresh(stack, expect_no_changes=True, report=_quiet)

    # The next up creates it again. A changed rule changes one object, and takes effect without a restart of the pod.
    before = core.read_namespaced_pod("prometheus-0", NAMESPACE)
    overrides = {"JobQueueDepthHigh": {"thresholds": {"pending_jobs": 777}}}
    changed = _workspace(state, alertOverrides=overrides)
    updated = actions.up(changed, report=_quiet)
    assert updated.changes == {"create": 1, "update": 1}
    assert (
        "update urn:pulumi:e2e::observability::observability:index:Prometheus"
        "$kubernetes:core/v1:ConfigMap::prometheus-rules"
    ) in updated.changed

    def live() -> bool:
        groups = ask(NAMESPACE, "prometheus-0", 9090, "/api/v1/rules")["data"]["groups"]
        return any("> 777" in rule["query"] for group in groups for rule in group["rules"])

    eventually(live, seconds=60, what="the changed rule is not live")
    after = core.read_namespaced_pod("prometheus-0", NAMESPACE)
    assert after.metadata.uid == before.metadata.uid
    assert after.status.container_statuses[0].restart_count == 0

    actions.destroy(changed, report=_quiet)
    assert NAMESPACE not in [item.metadata.name for item in core.list_namespace().items]
    roles = client.RbacAuthorizationV1Api(core.api_client).list_cluster_role().items
    assert [role.metadata.name for role in roles if role.metadata.name.startswith(NAMESPACE)] == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"prometheusRetention": "soon", "groupWait": "-1s", "prometheusReplica": "3"},
            r"3 problems in the settings; nothing was changed\.(?s:.*)prometheusRetention: .soon. is not allowed",
        ),
        ({"alertOverrides": {"JobQueueDephtHigh": {"for": "1m"}}}, r"JobQueueDephtHigh.*JobQueueDepthHigh"),
        ({"kubeconfig": "/nowhere/config"}, r"/nowhere/config.*Nothing was changed"),
        ({"kubeContext": "nobody"}, r"context nobody .*Nothing was changed"),
    ],
    ids=["several settings", "unknown alert", "no kubeconfig", "unknown context"],
)
def test_bad_input_ends_the_preview_with_one_clear_error(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=says) as caught:
        actions.preview(_workspace(tmp_path, **changes), report=_quiet)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value).splitlines()) < 12
