"""The workspace of Amazon Managed Prometheus, and the address that Prometheus writes to."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from components.eks.workspace.metrics_workspace import MetricsWorkspace
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import Recorded


def _workspace(engine: Callable[..., Recorded], *, preview: bool = False, protect: bool = True) -> Recorded:
    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region))
        MetricsWorkspace(
            "metrics", {"identity": CLUSTER, "key_arn": KEY, "retention_days": 400, "protect": protect}, provider
        )

    return engine(program, preview=preview)


def test_it_is_named_after_the_cluster_and_encrypted(engine: Callable[..., Recorded], preview: bool) -> None:
    (workspace,) = _workspace(engine, preview=preview).of("Workspace")
    assert workspace.inputs == {"alias": "eks-test-observability", "kmsKeyArn": KEY}
    assert (workspace.parent, workspace.provider.split("::")[-2]) == ("metrics", "aws")


def test_it_keeps_samples_for_the_stack_s_time_also_after_the_stack(engine: Callable[..., Recorded]) -> None:
    (configuration,) = _workspace(engine).of("WorkspaceConfiguration")
    assert configuration.inputs == {"workspaceId": "metrics-workspace-id", "retentionPeriodInDays": 400}
    assert configuration.retain


@pytest.mark.parametrize("protect", [False, True])
def test_protection_is_the_stack_s_choice(engine: Callable[..., Recorded], protect: bool) -> None:
    (workspace,) = _workspace(engine, protect=protect).of("Workspace")
    assert (workspace.protect, workspace.retain) == (protect, protect)


def test_the_address_has_the_form_that_the_settings_would_have(engine: Callable[..., Recorded]) -> None:
    outputs = _workspace(engine).outputs["metrics"]
    assert outputs == {
        "id": "metrics-workspace-id",
        "arn": "arn:aws:aps:eu-central-1:111122223333:workspace/metrics-workspace",
        "remote_write_url": "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-metrics-workspace"
        "/api/v1/remote_write",
    }
