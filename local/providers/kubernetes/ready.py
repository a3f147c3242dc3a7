"""When an object counts as ready, and the wait for it; kinds and times are those of the official provider."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.providers.errors import ProviderError
from local.providers.kubernetes import pods
from local.providers.kubernetes.connection import Connection
from local.providers.kubernetes.kinds import Kind
from local.providers.values import Object, mapping, mappings

# Seconds; the official provider's defaults.
_DEFAULT_TIMEOUT = 600.0
_CLAIM_TIMEOUT = 300.0
# Seconds between looks at the cluster: quick for what is ready at once, then gentle.
_FIRST_LOOK, _LAST_LOOK = 0.1, 2.0
# Seconds for which a controller may fail to create pods (quota and admission caches lag behind).
_CREATION_PATIENCE = 20
_LB = "LoadBalancer"


class NotReadyError(ProviderError):
    """The object exists but did not become ready; the lines say what was seen."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, kw_only=True)
class State:
    """What one look at an object says."""

    ready: bool
    detail: str = ""
    failed: bool = False
    """Waiting longer is pointless."""


def timeout_of(kind: Kind, inputs: Object, requested: float) -> float:
    """Seconds to wait: custom_timeouts (`requested`, else 0), then the annotation, then the default of the kind."""
    if requested:
        return requested
    text = str(annotations(inputs).get("pulumi.com/timeoutSeconds", ""))
    default = _CLAIM_TIMEOUT if kind.name == "PersistentVolumeClaim" else _DEFAULT_TIMEOUT
    return float(text) if text.isdecimal() else default


def skips_wait(inputs: Object) -> bool:
    """Whether the program said `pulumi.com/skipAwait`."""
    return annotations(inputs).get("pulumi.com/skipAwait") == "true"


async def wait(
    connection: Connection, kind: Kind, live: Object, *, seconds: float, run: Callable[..., Any], since: str = ""
) -> Object:
    """The live object, once it is ready. Raises NotReadyError after `seconds`, or sooner when waiting is pointless.

    `run(function, *args)` runs a blocking function off the event loop. Pods that are older than `since` (the server's
    time of our last change) belong to what is being replaced and are not judged.
    """
    if kind.name not in CHECKS:
        return live
    metadata = live["metadata"]
    patience, deadline, pause = pods.Patience(), time.monotonic() + seconds, _FIRST_LOOK
    creating_since = time.monotonic()
    while True:
        state = await run(CHECKS[kind.name], connection, live)
        if state.ready:
            return live
        verdict = state.detail if state.failed else ""
        owned: list[Object] = []
        if not verdict and kind.name in _WORKLOADS and pause >= _LAST_LOOK:
            owned = await run(_pods_of, connection, live)
            verdict = patience.lost(pod for pod in owned if str(pod["metadata"]["creationTimestamp"]) >= since)
            blocked = await run(_creation_problem, connection, kind, live, bool(owned))
            if not blocked:
                creating_since = time.monotonic()
            elif time.monotonic() - creating_since > _CREATION_PATIENCE:
                verdict = blocked
        if verdict or time.monotonic() >= deadline:
            headline = verdict or f"not ready after {seconds:g} s: {state.detail}"
            raise NotReadyError(await run(_report, connection, kind, live, headline))
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.6, _LAST_LOOK)
        found = await run(connection.get, kind, metadata.get("namespace", ""), metadata["name"])
        if found is None:
            raise NotReadyError([f"{kind.name} {metadata['name']} was deleted by someone else while it was awaited"])
        live = found


def annotations(value: Object) -> Object:
    """The annotations of an object."""
    return mapping(mapping(value.get("metadata")).get("annotations"))


def _deployment(_connection: Connection, live: Object) -> State:
    status, wanted = mapping(live.get("status")), _replicas(live)
    for condition in mappings(status.get("conditions")):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return State(ready=False, failed=_observed(live), detail=str(condition.get("message")))
    counts = [int(status.get(key, 0)) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    ready = _observed(live) and counts[0] == counts[1] == wanted and counts[2] >= wanted
    return State(ready=ready, detail=f"{counts[1]} of {wanted} updated, {counts[2]} available, {counts[0]} in all")


def _stateful_set(_connection: Connection, live: Object) -> State:
    status, wanted = mapping(live.get("status")), _replicas(live)
    strategy = mapping(mapping(live.get("spec")).get("updateStrategy"))
    keeps_old = strategy.get("type") == "OnDelete" or bool(mapping(strategy.get("rollingUpdate")).get("partition"))
    updated, good = int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0))
    ready = _observed(live) and good == wanted == int(status.get("replicas", 0)) and (keeps_old or updated == wanted)
    return State(ready=ready, detail=f"{good} of {wanted} ready, {updated} updated")


def _daemon_set(_connection: Connection, live: Object) -> State:
    status = mapping(live.get("status"))
    wanted = int(status.get("desiredNumberScheduled", 0))
    updated, good = int(status.get("updatedNumberScheduled", 0)), int(status.get("numberAvailable", 0))
    keeps_old = mapping(mapping(live.get("spec")).get("updateStrategy")).get("type") == "OnDelete"
    ready = _observed(live) and good >= wanted and (keeps_old or updated >= wanted)
    return State(ready=ready, detail=f"{good} of {wanted} available, {updated} updated")


def _job(_connection: Connection, live: Object) -> State:
    for condition in mappings(mapping(live.get("status")).get("conditions")):
        if condition.get("status") == "True" and condition.get("type") == "Complete":
            return State(ready=True)
        if condition.get("status") == "True" and condition.get("type") == "Failed":
            return State(ready=False, failed=True, detail=f"{condition.get('reason')}: {condition.get('message')}")
    return State(ready=False, detail="the job has not finished")


def _claim(connection: Connection, live: Object) -> State:
    phase = str(mapping(live.get("status")).get("phase", "Pending"))
    name = mapping(live.get("spec")).get("storageClassName")
    if phase == "Pending" and name:
        classes = connection.items("/apis/storage.k8s.io/v1/storageclasses", fieldSelector=f"metadata.name={name}")
        if any(found.get("volumeBindingMode") == "WaitForFirstConsumer" for found in classes):
            return State(ready=True)
    return State(ready=phase == "Bound", failed=phase == "Lost", detail=f"{phase} (storage class {name or 'none'})")


def _service(connection: Connection, live: Object) -> State:
    spec, metadata = mapping(live.get("spec")), live["metadata"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return State(ready=True)
    if spec.get("type") == _LB and not mapping(mapping(live.get("status")).get("loadBalancer")).get("ingress"):
        return State(ready=False, detail="no address from the load balancer yet")
    if not spec.get("selector"):
        return State(ready=True)
    slices = connection.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{quote(metadata['namespace'])}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={metadata['name']}",
    )
    endpoints = [endpoint for found in slices for endpoint in mappings(found.get("endpoints"))]
    unready = sum(mapping(endpoint.get("conditions")).get("ready") is False for endpoint in endpoints)
    detail = (
        f"{unready} of {len(endpoints)} endpoints are not ready" if slices else "its endpoints are not computed yet"
    )
    return State(ready=bool(slices) and not unready, detail=detail)


_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
CHECKS: dict[str, Callable[[Connection, Object], State]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
}
"""The kinds that are waited for; all others are ready when they exist."""


def _report(connection: Connection, kind: Kind, live: Object, headline: str) -> list[str]:
    namespace, name = str(live["metadata"].get("namespace", "")), str(live["metadata"]["name"])
    lines = [f"{kind.name} {namespace}/{name}: {headline}"]
    lines += [f"event: {text}" for text in pods.events(connection, namespace, kind.name, name)]
    if kind.name in _WORKLOADS or kind.name == "Service":
        lines += pods.evidence(connection, namespace, _pods_of(connection, live))
    return lines


def _pods_of(connection: Connection, live: Object) -> list[Object]:
    selector = mapping(mapping(live.get("spec")).get("selector"))
    labels = mapping(selector.get("matchLabels")) or {k: v for k, v in selector.items() if isinstance(v, str)}
    if not labels:
        return []
    text = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return connection.items(f"/api/v1/namespaces/{quote(live['metadata']['namespace'])}/pods", labelSelector=text)


def _creation_problem(connection: Connection, kind: Kind, live: Object, has_pods: bool) -> str:
    """Why the controller can not create pods (admission, quota); empty when it can.

    Where there are pods, an event may speak of an earlier attempt; a condition is always about now.
    """
    for condition in mappings(mapping(live.get("status")).get("conditions")):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message"))
    if has_pods:
        return ""
    found = pods.events(connection, live["metadata"]["namespace"], kind.name, live["metadata"]["name"])
    return next((text for text in reversed(found) if text.startswith("FailedCreate")), "")


def _observed(live: Object) -> bool:
    return int(mapping(live.get("status")).get("observedGeneration", 0)) >= int(live["metadata"].get("generation", 0))


def _replicas(live: Object) -> int:
    return int(mapping(live.get("spec")).get("replicas", 1))
