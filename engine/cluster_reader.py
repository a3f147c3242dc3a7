"""Reads collections from the cluster of a stack, and explains why a workload's pods are not ready."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from local.errors import LocalError

_TIMEOUT = (10, 65)
"""Seconds to connect and to answer; the API server itself aborts a request after 60."""
_LOG_LINES = 15
_EVENTS = 5
_PODS = 3
_WORKLOADS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets/{}",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets/{}",
    "Job": "/apis/batch/v1/namespaces/{}/jobs/{}",
}


class ClusterReader:
    """Reads objects and logs of one API server.

    Every call raises LocalError if the server rejects it or cannot be reached.
    """

    def __init__(self, *, kubeconfig: str = "", context: str = "") -> None:
        """`kubeconfig`: path or content; empty for KUBECONFIG, then ~/.kube/config. Empty `context`: the current one.

        Raises LocalError if the kubeconfig cannot be used. Sends no request yet.
        """
        chosen = context or None
        try:
            if "\n" in kubeconfig or kubeconfig.startswith("{"):
                content = cast(dict[str, Any], yaml.safe_load(kubeconfig))
                self._api = config.new_client_from_config_dict(content, chosen, persist_config=False)
            else:
                path = str(Path(kubeconfig).expanduser()) if kubeconfig else None
                self._api = config.new_client_from_config(path, chosen, persist_config=False)
        except (ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise LocalError(f"the kubeconfig cannot be used: {error}") from error

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a collection, as in `/api/v1/namespaces/x/pods`."""
        return cast(list[dict[str, Any]], self._get(path, query).get("items") or [])

    def unready_pods(self, kind: str, namespace: str, name: str) -> list[str]:
        """Explains in lines of text why a workload is not ready: reasons, newest events and logs of its first pods.

        If it has no unready pod, the lines come from the workload's own conditions and events. Empty for a kind
        without pods.
        """
        if kind not in _WORKLOADS:
            return []
        workload = self._get(_WORKLOADS[kind].format(namespace, name), {})
        selector = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        pods = self.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=labels)
        unready = [pod for pod in pods if not _ready(pod)]
        if not unready:
            # Pods that the API server rejects, for example because of Pod Security, never exist.
            rejected = [
                f"{kind} {namespace}/{name}: {one.get('reason', '')}: {one.get('message', '')}"
                for one in workload.get("status", {}).get("conditions") or []
                if one["type"] == "ReplicaFailure" and one["status"] == "True"
            ]
            return [*rejected, *self._events(namespace, kind, name)]
        lines = [line for pod in unready[:_PODS] for line in self._explain(namespace, pod)]
        return [*lines, f"and {len(unready) - _PODS} more pods that are not ready"] if len(unready) > _PODS else lines

    def _explain(self, namespace: str, pod: Mapping[str, Any]) -> Iterator[str]:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        yield f"pod {name} ({status.get('phase', 'Unknown')}): {'; '.join(_problems(status)) or 'not ready'}"
        yield from self._events(namespace, "Pod", name)
        yield from (f"  log: {line}" for line in self._log(namespace, name, status))

    def _events(self, namespace: str, kind: str, name: str) -> list[str]:
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        events = self.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event["metadata"].get("creationTimestamp")))
        return [f"  event: {event.get('reason', '')}: {event.get('message', '')}" for event in events[-_EVENTS:]]

    def _log(self, namespace: str, pod: str, status: Mapping[str, Any]) -> list[str]:
        """The last lines of the first container that is not ready."""
        core = client.CoreV1Api(self._api)
        for container in _containers(status):
            if container.get("ready") or ((container.get("state") or {}).get("terminated") or {}).get("exitCode") == 0:
                continue
            # The newest container may not have written anything yet; the log of the previous one may be gone.
            for previous in (False, True) if container.get("restartCount") else (False,):
                try:
                    text = core.read_namespaced_pod_log(
                        pod,
                        namespace,
                        container=container["name"],
                        tail_lines=_LOG_LINES,
                        previous=previous,
                        _request_timeout=_TIMEOUT,
                    )
                except (client.ApiException, urllib3.exceptions.HTTPError):
                    continue  # a container that never started has no log
                if text and not text.startswith("unable to retrieve container logs"):
                    return text.splitlines()
        return []

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        server, headers = self._api.configuration, {"Accept": "application/json"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        try:
            answer = self._api.rest_client.pool_manager.request(
                "GET", f"{server.host}{path}?{urlencode(query)}", headers=headers, timeout=urllib3.Timeout(*_TIMEOUT)
            )
        except urllib3.exceptions.HTTPError as error:
            raise LocalError(f"the API server {server.host} does not answer: {error}") from error
        if answer.status != HTTPStatus.OK:
            raise LocalError(f"the API server {server.host} answered {path} with {answer.status} {answer.reason}")
        return cast(dict[str, Any], json.loads(answer.data))


def _containers(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("initContainerStatuses", "containerStatuses")
    return [container for key in keys for container in cast(list[dict[str, Any]], status.get(key) or [])]


def _ready(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is Ready or has succeeded."""
    status = pod.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
    return ready or status.get("phase") == "Succeeded"


def _problems(status: Mapping[str, Any]) -> Iterator[str]:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    for container in _containers(status):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        last = ended or (container.get("lastState") or {}).get("terminated") or {}
        code = f"last exit code {last['exitCode']}, {last.get('reason', '')}" if last.get("exitCode") else ""
        if waiting.get("reason"):
            text = f"{waiting['reason']}: container {container['name']}: {waiting.get('message', '')}"
            yield f"{text} ({code})" if code else text
        elif code and not container.get("ready"):
            yield f"NotReady: container {container['name']}: {code}"
