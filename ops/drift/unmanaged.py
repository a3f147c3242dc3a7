"""What stands among our objects and is not in the state: dashboards in our folders, workloads in our namespaces."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.grafana.api import Api
from ops.drift.findings import Finding, Sort

_WORKLOADS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Pod": "/api/v1/namespaces/{}/pods",
}
_AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
_FOLDER, _DASHBOARD = "grafana:oss/folder:Folder", "grafana:oss/dashboard:Dashboard"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_PAGE = 5000
"""Dashboards that Grafana gives at once, at most."""
_ADVICE = "delete it, or take it into the program"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of the state."""

    kind: str
    id: str
    inputs: Mapping[str, Any]


class Lists(Protocol):
    """What is asked of an API server."""

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a collection."""
        ...


def workloads(resources: Collection[Resource], api: Lists) -> list[Finding]:
    """Workloads of our namespaces that are not in the state; those that another object owns are that one's affair."""
    managed = {(resource.kind.rpartition(":")[2], resource.id) for resource in resources}
    found: list[Finding] = []
    for namespace in namespaces(resources):
        for kind, path in _WORKLOADS.items():
            for item in api.items(path.format(namespace)):
                metadata = item["metadata"]
                where = f"{namespace}/{metadata['name']}"
                if not metadata.get("ownerReferences") and (kind, where) not in managed:
                    found.append(Finding(Sort.UNMANAGED, f"kubernetes:{kind}", where, reason=_ADVICE))
    return found


def autoscaled(resources: Collection[Resource], api: Lists) -> set[str]:
    """Ids (`namespace/name`) of the workloads that an autoscaler scales."""
    return {
        f"{namespace}/{item['spec']['scaleTargetRef']['name']}"
        for namespace in namespaces(resources)
        for item in api.items(_AUTOSCALERS.format(namespace))
    }


def namespaces(resources: Iterable[Resource]) -> list[str]:
    """Namespaces that the stack made."""
    return sorted(resource.id for resource in resources if resource.kind == _NAMESPACE)


def dashboards(resources: Collection[Resource]) -> list[Finding]:
    """Dashboards in our folders that are not in the state. Raises ProviderError when Grafana cannot be asked."""
    folders = {str(resource.inputs["uid"]) for resource in resources if resource.kind == _FOLDER}
    server = next((one.inputs for one in resources if one.kind == "pulumi:providers:grafana"), None)
    if server is None or not folders:
        return []
    ours = {resource.id.rpartition(":")[2] for resource in resources if resource.kind == _DASHBOARD}
    there = asyncio.run(_dashboards(Api(str(server["url"]), str(server.get("auth", "")))))
    return [
        Finding(Sort.UNMANAGED, _DASHBOARD, f"{one['folderUid']}/{one['uid']}", now=str(one["title"]), reason=_ADVICE)
        for one in there
        if one.get("folderUid") in folders and one["uid"] not in ours
    ]


async def _dashboards(api: Api) -> list[dict[str, Any]]:
    found = await api.get(f"/api/search?type=dash-db&limit={_PAGE}")
    if not isinstance(found, list):
        raise ProviderError(f"Grafana at {api.url} does not list its dashboards")
    return cast(list[dict[str, Any]], found)
