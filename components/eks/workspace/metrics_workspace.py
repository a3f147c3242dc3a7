"""A workspace of Amazon Managed Prometheus, which receives a copy of the samples."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.policies import ClusterIdentity


class MetricsWorkspaceArgs(TypedDict):
    """Arguments of MetricsWorkspace."""

    identity: ClusterIdentity
    """The workspace has its names."""
    key_arn: pulumi.Input[str]
    """KMS key of the samples. A changed key replaces the workspace, which `protect` prevents."""
    retention_days: int
    """Days for which it keeps samples, from 1 to 1095."""
    protect: bool
    """Whether Pulumi refuses to delete the workspace, and AWS retains it when it leaves the program."""


class MetricsWorkspace(pulumi.ComponentResource):
    """Metrics that outlive the cluster. Both directions require policies.workspace on `arn`, and signed requests."""

    id: pulumi.Output[str]
    """ws-…"""
    arn: pulumi.Output[str]
    remote_write_url: pulumi.Output[str]

    def __init__(self, name: str, args: MetricsWorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:MetricsWorkspace", name, {}, opts)
        workspace = aws.amp.Workspace(
            f"{name}-workspace",
            alias=args["identity"].prefix,
            kms_key_arn=args["key_arn"],
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=args["protect"]),
        )
        # AWS has the configuration as long as the workspace: deleting it resets it.
        aws.amp.WorkspaceConfiguration(
            f"{name}-configuration",
            workspace_id=workspace.id,
            retention_period_in_days=args["retention_days"],
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args["protect"]),
        )
        self.id, self.arn = workspace.id, workspace.arn
        # The endpoint ends in a slash.
        self.remote_write_url = workspace.prometheus_endpoint.apply(
            lambda url: f"{url.rstrip('/')}/api/v1/remote_write"
        )
        self.register_outputs({"id": self.id, "arn": self.arn, "remote_write_url": self.remote_write_url})
