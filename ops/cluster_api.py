"""The few calls to the Kubernetes API with which faults of the platform are caused."""

from collections.abc import Callable
from typing import Any, cast

import urllib3
from kubernetes import client, config

from ops.errors import OpsError
from ops.kube import Cluster

_APP = "app.kubernetes.io/name"
_NOBODY = 65534
_GONE = 404


class ClusterApi:
    """The platform's namespace of one cluster. Every call raises OpsError when the API server refuses or is away."""

    def __init__(self, cluster: Cluster, namespace: str, *, receiver: str = "receiver") -> None:
        """`receiver`: namespace and name of the Deployment whose image faults run in."""
        self._namespace = namespace
        self._receiver = receiver
        file = str(cluster.kubeconfig) if cluster.kubeconfig else None
        try:
            api = config.new_client_from_config(config_file=file, context=cluster.context)
        except config.ConfigException as error:
            raise OpsError(f"no access to the cluster ({cluster}): {error}") from error
        self._plain = cast(Callable[[Any], Any], api.sanitize_for_serialization)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)

    def replicas(self, kind: str, name: str) -> int | None:
        """How many a Deployment or StatefulSet wants; None when there is none."""
        call = self._apps.read_namespaced_deployment_scale
        if kind == "StatefulSet":
            call = self._apps.read_namespaced_stateful_set_scale
        found = _call(f"{kind} {name}", lambda: call(name, self._namespace), absent_is_fine=True)
        return None if found is None else int(found.spec.replicas or 0)

    def scale(self, kind: str, name: str, replicas: int) -> None:
        """Set how many it wants."""
        call = self._apps.patch_namespaced_deployment_scale
        if kind == "StatefulSet":
            call = self._apps.patch_namespaced_stateful_set_scale
        _call(f"{kind} {name}", lambda: call(name, self._namespace, {"spec": {"replicas": replicas}}))

    def pods(self, app: str) -> list[dict[str, Any]]:
        """The pods of an app, as the API gives them."""
        selector = f"{_APP}={app}"
        found = _call(
            f"pods of {app}", lambda: self._core.list_namespaced_pod(self._namespace, label_selector=selector)
        )
        return [cast(dict[str, Any], self._plain(pod)) for pod in found.items]

    def create_pod(self, name: str, *, script: str, annotations: dict[str, str]) -> None:
        """Run a Python script in the receiver's image, under Pod Security `restricted`."""
        where = self._receiver
        receiver = _call(f"Deployment {where}", lambda: self._apps.read_namespaced_deployment(where, where))
        image = receiver.spec.template.spec.containers[0].image
        body = cast(Any, _pod(name, image, script, annotations))
        _call(f"pod {name}", lambda: self._core.create_namespaced_pod(self._namespace, body))

    def delete_pod(self, name: str) -> None:
        """Remove a pod at once; one that is gone is fine."""
        _call(
            f"pod {name}",
            lambda: self._core.delete_namespaced_pod(name, self._namespace, grace_period_seconds=0),
            absent_is_fine=True,
        )

    def patch_config_map(self, name: str, data: dict[str, str | None]) -> None:
        """Set keys of a ConfigMap; None removes one."""
        _call(
            f"ConfigMap {name}",
            lambda: self._core.patch_namespaced_config_map(name, self._namespace, {"data": data}),
        )


def _pod(name: str, image: str, script: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {_APP: name}, "annotations": annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
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
                    "command": ["python", "-c", script],
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
        raise OpsError(f"{what}: the API server says {error.status} {error.reason}") from error
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the cluster does not answer: {error}") from error
