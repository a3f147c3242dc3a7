"""Finds unmanaged objects: dashboards in the stack's folders and workloads in its namespaces that the state lacks."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.grafana.api import Api
from ops.drift.findings import Category, Finding

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
"""Maximum number of dashboards in one answer of Grafana."""
_ADVICE = "delete it, or add it to the program"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of the state."""

    kind: str
    id: str
    inputs: Mapping[str, Any]


class Lists(Protocol):
    """Lists objects of an API server."""

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a collection."""
        ...


def workloads(resources: Collection[Resource], api: Lists) -> list[Finding]:
    """Workloads in the stack's namespaces that the state lacks, without those that another object owns."""
    managed = {(resource.kind.rpartition(":")[2], resource.id) for resource in resources}
    found: list[Finding] = []
    for namespace in namespaces(resources):
        for kind, path in _WORKLOADS.items():
            for item in api.items(path.format(namespace)):
                metadata = item["metadata"]
                where = f"{namespace}/{metadata['name']}"
                if not metadata.get("ownerReferences") and (kind, where) not in managed:
                    found.append(Finding(Category.UNMANAGED, f"kubernetes:{kind}", where, reason=_ADVICE))
    return found


def autoscaled(resources: Collection[Resource], api: Lists) -> set[str]:
    """Ids (`namespace/name`) of the workloads that a HorizontalPodAutoscaler targets."""
    return {
        f"{namespace}/{item['spec']['scaleTargetRef']['name']}"
        for namespace in namespaces(resources)
        for item in api.items(_AUTOSCALERS.format(namespace))
    }


def namespaces(resources: Iterable[Resource]) -> list[str]:
    """Namespaces that the stack created, sorted."""
    return sorted(resource.id for resource in resources if resource.kind == _NAMESPACE)


def dashboards(resources: Collection[Resource]) -> list[Finding]:
    """Dashboards in the stack's folders that the state lacks. Raises ProviderError when Grafana cannot be read."""
    folders = {str(resource.inputs["uid"]) for resource in resources if resource.kind == _FOLDER}
    server = next((one.inputs for one in resources if one.kind == "pulumi:providers:grafana"), None)
    if server is None or not folders:
        return []
    managed = {resource.id.rpartition(":")[2] for resource in resources if resource.kind == _DASHBOARD}
    existing = asyncio.run(_dashboards(Api(str(server["url"]), str(server.get("auth", "")))))
    return [
        Finding(
            Category.UNMANAGED, _DASHBOARD, f"{one['folderUid']}/{one['uid']}", now=str(one["title"]), reason=_ADVICE
        )
        for one in existing
        if one.get("folderUid") in folders and one["uid"] not in managed
    ]


async def _dashboards(api: Api) -> list[dict[str, Any]]:
    found = await api.get(f"/api/search?type=dash-db&limit={_PAGE}")
    if not isinstance(found, list):
        raise ProviderError(f"Grafana at {api.url} does not list its dashboards")
    return cast(list[dict[str, Any]], found)
