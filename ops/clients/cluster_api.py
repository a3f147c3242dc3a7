"""The calls to the Kubernetes API that cause faults in the platform and in simulated programs."""

from collections.abc import Callable
from copy import copy
from typing import Any, Self, cast

import urllib3
from kubernetes import client, config

from ops.clients.kube import Cluster
from ops.errors import OpsError

_APP = "app.kubernetes.io/name"
_NOBODY = 65534
_GONE = 404
_BEFORE = "fire-alerts.observability/replicas-before"
"""Annotation on a workload that a drill scaled down: its original replica count, so that a later drill can restore it
if this one is killed."""
_LONGEST_POD = 1800
"""Seconds after which the kubelet ends a drill's pod, even if no drill removes it."""


class ClusterApi:
    """One namespace of a cluster.

    Every call raises OpsError when the API server rejects it or cannot be reached.
    """

    def __init__(self, cluster: Cluster, namespace: str, *, receiver: str = "receiver") -> None:
        """`receiver`: namespace and name of the Deployment whose image runs the faults' scripts."""
        self.namespace = namespace
        self._receiver = receiver
        file = str(cluster.kubeconfig) if cluster.kubeconfig else None
        try:
            api = config.new_client_from_config(config_file=file, context=cluster.context)
        except config.ConfigException as error:
            raise OpsError(f"no access to the cluster ({cluster}): {error}") from error
        self._plain = cast(Callable[[Any], Any], api.sanitize_for_serialization)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)

    def within(self, namespace: str) -> Self:
        """Another namespace of the same cluster."""
        other = copy(self)
        other.namespace = namespace
        return other

    def replicas(self, kind: str, name: str) -> int | None:
        """Desired replicas of a Deployment or StatefulSet; None if it does not exist."""
        found = self._workload(kind, name)
        return None if found is None else int(found.spec.replicas or 0)

    def replicas_before(self, kind: str, name: str) -> int | None:
        """The replica count that `scale` stored as `before`; None without one, or if the workload does not exist."""
        found = self._workload(kind, name)
        noted = None if found is None else (found.metadata.annotations or {}).get(_BEFORE)
        if noted is None:
            return None
        if not noted.isdecimal():
            raise OpsError(f"{kind} {name}: annotation {_BEFORE} is {noted!r}; allowed: a number of replicas")
        return int(noted)

    def scale(self, kind: str, name: str, replicas: int, *, before: int | None) -> None:
        """Set the desired replicas and, in the same request, store `before` in an annotation; None removes it."""
        call = self._apps.patch_namespaced_deployment
        if kind == "StatefulSet":
            call = self._apps.patch_namespaced_stateful_set
        noted = {_BEFORE: None if before is None else str(before)}
        change = {"metadata": {"annotations": noted}, "spec": {"replicas": replicas}}
        _call(f"{kind} {name}", lambda: call(name, self.namespace, cast(Any, change)))

    def pods(self, app: str) -> list[dict[str, Any]]:
        """The pods of an app, in the API's JSON form."""
        selector = f"{_APP}={app}"
        found = _call(f"pods of {app}", lambda: self._core.list_namespaced_pod(self.namespace, label_selector=selector))
        return [cast(dict[str, Any], self._plain(pod)) for pod in found.items]

    def create_pod(self, name: str, *, script: str, annotations: dict[str, str]) -> None:
        """Run a Python script in the receiver's image, under Pod Security `restricted`, for at most _LONGEST_POD."""
        where = self._receiver
        receiver = _call(f"Deployment {where}", lambda: self._apps.read_namespaced_deployment(where, where))
        image = receiver.spec.template.spec.containers[0].image
        body = cast(Any, _pod(name, image, script, annotations))
        _call(f"pod {name}", lambda: self._core.create_namespaced_pod(self.namespace, body))

    def delete_pod(self, name: str) -> None:
        """Delete a pod without a grace period; a pod that does not exist is not an error."""
        _call(
            f"pod {name}",
            lambda: self._core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=0),
            absent_is_fine=True,
        )

    def config_map(self, name: str) -> dict[str, str]:
        """The data of a ConfigMap."""
        found = _call(f"ConfigMap {name}", lambda: self._core.read_namespaced_config_map(name, self.namespace))
        return dict(found.data or {})

    def patch_config_map(self, name: str, data: dict[str, str | None]) -> None:
        """Set keys of a ConfigMap; None removes one."""
        _call(
            f"ConfigMap {name}",
            lambda: self._core.patch_namespaced_config_map(name, self.namespace, {"data": data}),
        )

    def _workload(self, kind: str, name: str) -> Any:  # noqa: ANN401 -- no types
        call = self._apps.read_namespaced_deployment
        if kind == "StatefulSet":
            call = self._apps.read_namespaced_stateful_set
        return _call(f"{kind} {name}", lambda: call(name, self.namespace), absent_is_fine=True)


def _pod(name: str, image: str, script: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {_APP: name}, "annotations": annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": _LONGEST_POD,
            "restartPolicy": "Always",  # the crash-loop fault needs restarts
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _NOBODY,
                "runAsGroup": _NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", script],
                    "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def _call(what: str, call: Callable[[], object], *, absent_is_fine: bool = False) -> Any:  # noqa: ANN401 -- no types
    try:
        return call()
    except client.ApiException as error:
        if absent_is_fine and error.status == _GONE:
            return None
        raise OpsError(f"{what}: the API server answered {error.status} {error.reason}") from error
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the cluster does not answer: {error}") from error
