"""The namespaces and pods of one run."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import urllib3
from kubernetes import client, config

from ops.attack.attacks import PORT, AttackPod, Plan
from ops.clients.kube import Cluster
from ops.errors import OpsError

_PROGRAM = Path(__file__).with_name("attacker.py")
_USER = 65534
_NAME = "app.kubernetes.io/name"


class AttackCluster:
    """A cluster in which the pods of a plan run. Raises OpsError when the API server rejects a call."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        """`image` has Python."""
        file = str(cluster.kubeconfig) if cluster.kubeconfig else None
        try:
            api = config.new_client_from_config(config_file=file, context=cluster.context)
        except config.ConfigException as error:
            raise OpsError(f"no access to the cluster ({cluster}): {error}") from error
        self._core = client.CoreV1Api(api)
        self._image = image

    @contextmanager
    def running(self, plan: Plan, agent: str) -> Generator[None]:
        """The plan's pods, which are removed with their namespaces at the end, whatever happens."""
        try:
            with _told():
                for namespace, pods in plan.pods.items():
                    labels = {"observability/access": "true"} if namespace == plan.reader else {}
                    self._core.create_namespace(cast(Any, {"metadata": {"name": namespace, "labels": labels}}))
                    for pod in pods:
                        self._core.create_namespaced_pod(namespace, cast(Any, self._pod(pod, agent)))
            yield
        finally:
            for namespace in plan.pods:
                self._remove(namespace)

    def result(self, namespace: str, pod: str) -> Mapping[str, Any] | None:
        """What the pod's program found; None until it has said so."""
        with _told():
            found = cast(Any, self._core.read_namespaced_pod(pod, namespace))
            if found.status.phase not in ("Running", "Succeeded", "Failed"):
                return None
            text = str(self._core.read_namespaced_pod_log(pod, namespace))
        first = text.partition("\n")[0]
        if found.status.phase == "Failed":
            raise OpsError(f"pod {namespace}/{pod} failed: {text[-500:]}")
        return json.loads(first) if first.startswith("{") else None

    def _remove(self, namespace: str) -> None:
        try:
            self._core.delete_namespace(namespace)
        except client.ApiException as error:
            if error.status != 404:
                raise OpsError(f"namespace {namespace} cannot be deleted: {error.reason}") from error

    def _pod(self, pod: AttackPod, agent: str) -> dict[str, Any]:
        scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)} if pod.scraped else {}
        return {
            "metadata": {"name": pod.name, "labels": {_NAME: pod.name}, "annotations": scraped},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 0,
                "activeDeadlineSeconds": 3600,
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": pod.name,
                        "image": self._image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "-c", _PROGRAM.read_text(encoding="utf-8")],
                        "env": [{"name": "TASK", "value": pod.variable(agent)}],
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "256Mi"},
                            "limits": {"memory": "256Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except client.ApiException as error:
        raise OpsError(f"the API server answered {error.status} {error.reason}") from error
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the cluster does not answer: {error}") from error
