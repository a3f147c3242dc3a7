"""Replicas of some apps as pods: lists them, kills one, and waits until it is back."""

import re
import time
from collections.abc import Collection
from typing import Any, Protocol, cast

import urllib3
from kubernetes import client, config

from ops.clients.kube import Cluster
from ops.errors import OpsError

_PAUSE = 0.5


class Pods(Protocol):
    """The replicas of one or several apps."""

    def names(self) -> list[str]:
        """Every replica, in a fixed order."""
        ...

    def kill(self, name: str) -> None:
        """End a replica at once, without a graceful shutdown."""
        ...

    def wait_back(self, name: str, timeout: float) -> None:
        """Return when the replica serves again. Raises OpsError after `timeout` seconds."""
        ...


class KubernetesPods:
    """Replicas as pods of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str, apps: Collection[str]) -> None:
        """`apps` are names of StatefulSets. Raises OpsError when the kubeconfig or context cannot be used."""
        self._namespace = namespace
        self._apps = apps
        self._name = re.compile(rf"({'|'.join(map(re.escape, apps))})-\d+")
        self._killed: dict[str, str] = {}
        file = str(cluster.kubeconfig) if cluster.kubeconfig else None
        try:
            api = config.new_client_from_config(config_file=file, context=cluster.context)
        except config.ConfigException as error:
            raise OpsError(f"no access to the cluster ({cluster}): {error}") from error
        self._core = client.CoreV1Api(api)

    def names(self) -> list[str]:
        """The pods of the StatefulSets. Raises OpsError when there are none."""
        found = sorted(name for name in self._pods() if self._name.fullmatch(name))
        if not found:
            raise OpsError(f"namespace {self._namespace} has no pods of {' or '.join(self._apps)}")
        return found

    def kill(self, name: str) -> None:
        """Delete the pod with a grace period of 0."""
        self._killed[name] = self._pods()[name].metadata.uid
        try:
            self._core.delete_namespaced_pod(name, self._namespace, grace_period_seconds=0)
        except client.ApiException as error:
            raise OpsError(f"pod {name} cannot be deleted: {error.reason}") from error

    def wait_back(self, name: str, timeout: float) -> None:
        """Wait until a new pod with this name is Ready."""
        deadline = time.monotonic() + timeout
        while True:
            pod = self._pods().get(name)
            if pod is not None and pod.metadata.uid != self._killed.get(name) and _ready(pod):
                return
            if time.monotonic() > deadline:
                raise OpsError(f"pod {name} is not Ready again after {timeout:.0f} s")
            time.sleep(_PAUSE)

    def _pods(self) -> dict[str, Any]:
        try:
            answer = cast(Any, self._core.list_namespaced_pod(self._namespace))
        except client.ApiException as error:
            raise OpsError(f"the pods of namespace {self._namespace} cannot be listed: {error.reason}") from error
        except urllib3.exceptions.HTTPError as error:
            raise OpsError(f"the cluster does not answer: {error}") from error
        return {pod.metadata.name: pod for pod in answer.items}


def _ready(pod: Any) -> bool:  # noqa: ANN401 -- the client has no types
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or [])
