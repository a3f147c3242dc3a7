"""Which cluster a stack lives in, read from its stack file; no engine is asked."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.clients.kube import Cluster, Service
from ops.errors import OpsError, UsageError
from settings import stack_files
from settings.apps import ALERTMANAGER, PROMETHEUS, RECEIVER, App
from settings.stack_files import StackFileError

ROOT = Path(__file__).resolve().parent.parent
LOCAL = "local"
_PREFIX = "observability:"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a drill must know about a stack."""

    stack: str
    root: Path
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    """The stack's values over the project's defaults, without the `observability:` before the keys."""

    def cluster(self) -> Cluster:
        """Where the stack runs. Raises OpsError when its kubeconfig is no file."""
        return _cluster(self.stack, self.values, self.root)

    @property
    def has_simulator(self) -> bool:
        """Whether the stack runs the simulated workloads and the receiver."""
        return str(self.values.get("simulator", "")).lower() == "true"

    @property
    def namespace(self) -> str:
        """Where Prometheus and Alertmanager run."""
        return str(self.values.get("namespace", "observability"))

    def service(self, app: App) -> Service:
        """An app of the platform."""
        return Service(namespace=self.namespace, name=app.name, port=app.port)

    def services(self) -> dict[str, Service]:
        """Prometheus, Alertmanager and the receiver of notifications."""
        return {
            "prometheus": self.service(PROMETHEUS),
            "alertmanager": self.service(ALERTMANAGER),
            "receiver": Service(namespace=RECEIVER.name, name=RECEIVER.name, port=RECEIVER.port),
        }


def load(stack: str, *, root: Path = ROOT) -> Environment:
    """Read `Pulumi.<stack>.yaml` over the defaults of `Pulumi.yaml`. Raises UsageError for an unknown stack."""
    known = stack_files.names(root)
    if stack not in known:
        raise UsageError(f"unknown environment {stack!r}; there are: {', '.join(known) or 'none (no Pulumi.*.yaml)'}")
    try:
        values = stack_files.read(stack, root).values
    except StackFileError as error:
        raise OpsError(str(error)) from error
    if stack == LOCAL and os.environ.get("KUBE_CONTEXT"):  # as `make up` decided with the same variables
        values["simulator"] = "true" if os.environ.get("SIMULATOR_IMAGE") else "false"
    return Environment(stack=stack, root=root, values=values)


def _cluster(stack: str, values: dict[str, Any], root: Path) -> Cluster:
    kubeconfig, context = values.get("kubeconfig"), values.get("kubeContext")
    named = os.environ.get("KUBE_CONTEXT")
    if stack == LOCAL and named:  # what `make up` did with the same variable
        return Cluster(context=named)
    path = Path(str(kubeconfig)).expanduser() if kubeconfig else None
    if path and not (root / path).is_file():
        hint = "; `make up` makes it" if stack == LOCAL else ""
        raise OpsError(f"{_PREFIX}kubeconfig of stack {stack} names {path}, which is no file{hint}")
    if values.get("cloud") == "eks" and not path and not context:
        return _eks_cluster(stack, values, named)
    return Cluster(kubeconfig=root / path if path else None, context=str(context) if context else None)


def _eks_cluster(stack: str, values: dict[str, Any], named: str | None) -> Cluster:
    """The program finds the cluster through AWS; kubectl needs a context, and its current one may be of any cluster."""
    if named:
        return Cluster(context=named)
    command = f"aws eks update-kubeconfig --name {values.get('clusterName')} --region {values.get('awsRegion')}"
    raise OpsError(
        f"stack {stack} names no {_PREFIX}kubeContext; set KUBE_CONTEXT to the context of its cluster, which this "
        f"makes: {command} --alias {values.get('clusterName')}"
    )
