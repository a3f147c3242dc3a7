"""Folders and dashboards in Grafana, from the committed files."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumiverse_grafana import oss

from components.grafana.content import content_options
from components.grafana.server import GrafanaServer
from dashboards.files import DashboardFile


class DashboardsArgs(TypedDict):
    """Arguments of Dashboards."""

    dashboards: Sequence[DashboardFile]
    """Dashboards that dashboards.files.load has checked."""
    runbook_base_url: str
    """Base URL of their links to runbooks."""
    server: NotRequired[GrafanaServer | None]
    """The Grafana server of this stack, if it runs one."""


class Dashboards(pulumi.ComponentResource):
    """A folder for each system that has dashboards, with the dashboards in it. Links to both are stable."""

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Dashboards", name, {}, opts)
        server = args.get("server")
        titles = {dashboard.system: dashboard.folder for dashboard in args["dashboards"]}
        folders = {
            system: oss.Folder(f"{name}-{system}", uid=system, title=title, opts=content_options(self, server))
            for system, title in titles.items()
        }
        for dashboard in args["dashboards"]:
            oss.Dashboard(
                f"{name}-{dashboard.uid}",
                config_json=dashboard.for_stack(runbook_base_url=args["runbook_base_url"]),
                folder=folders[dashboard.system].uid,
                # Intended: the file defines the dashboard, and any change that people save under its uid is drift.
                overwrite=True,
                message="deployed by Pulumi",
                opts=content_options(self, server),
            )
        self.register_outputs({"uids": sorted(dashboard.uid for dashboard in args["dashboards"])})
