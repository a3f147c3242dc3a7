"""Why pods do not run: the reasons that will not heal by waiting, and the evidence for an error message."""

import time
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from local.providers.kubernetes.connection import Connection
from local.providers.values import Object, mapping, mappings

# Seconds that a pod may stay in a state before the wait is given up. Registries, volumes and dependencies that come
# up at the same time need some; a name that can not be parsed needs none. Whatever is not listed waits for the timeout.
PATIENCE = {
    "InvalidImageName": 0,
    "ErrImageNeverPull": 5,
    "CreateContainerConfigError": 60,
    "ImagePullBackOff": 60,
    "ErrImagePull": 60,
    "CrashLoopBackOff": 90,
    "Unschedulable": 120,
}
_LOG_LINES = 15
_EVENTS = 5
_PODS = 3


class Patience:
    """Remembers since when each pod is in which bad state."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}

    def lost(self, pods: Iterable[Object]) -> str:
        """Why waiting is pointless, in one line, or empty."""
        now = time.monotonic()
        seen: dict[tuple[str, str], float] = {}
        verdict = ""
        for pod in pods:
            for reason, message in problems(pod):
                key = (pod["metadata"]["uid"], reason)
                seen[key] = self._since.get(key, now)
                if reason in PATIENCE and now - seen[key] >= PATIENCE[reason]:
                    verdict = f"pod {pod['metadata']['name']}: {reason}: {message}"
        self._since = seen
        return verdict


def problems(pod: Object) -> Iterator[tuple[str, str]]:
    """Reason and message of each thing that keeps the pod from being ready."""
    status = mapping(pod.get("status"))
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield str(condition.get("reason", "Unschedulable")), str(condition.get("message", ""))
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in mappings(status.get(key)):
            state = mapping(container.get("state"))
            waiting, ended = mapping(state.get("waiting")), mapping(state.get("terminated"))
            last = ended or mapping(mapping(container.get("lastState")).get("terminated"))
            code = f"last exit code {last['exitCode']}, {last.get('reason', '')}" if last.get("exitCode") else ""
            if waiting.get("reason"):
                text = f"container {container['name']}: {waiting.get('message', '')}"
                yield str(waiting["reason"]), f"{text} ({code})" if code else text
            elif code and not container.get("ready"):
                yield "NotReady", f"container {container['name']}: {code}"


def evidence(connection: Connection, namespace: str, pods: list[Object]) -> list[str]:
    """Reason, events and last log lines of the pods that are not ready."""
    lines: list[str] = []
    failing = [pod for pod in pods if not is_ready(pod)]
    for pod in failing[:_PODS]:
        name = str(pod["metadata"]["name"])
        found = [f"{reason}: {message}" for reason, message in problems(pod)]
        phase = str(mapping(pod.get("status")).get("phase", "Unknown"))
        lines.append(f"pod {name} ({phase}): {'; '.join(found) or 'not ready'}")
        lines += [f"  event: {text}" for text in events(connection, namespace, "Pod", name)]
        lines += [f"  log: {line}" for line in _log(connection, namespace, pod)]
    if len(failing) > _PODS:
        lines.append(f"and {len(failing) - _PODS} more pods that are not ready")
    return lines


def events(connection: Connection, namespace: str, kind: str, name: str) -> list[str]:
    """The newest events about one object, as `reason: message`."""
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    found = connection.items(f"/api/v1/namespaces/{quote(namespace)}/events", fieldSelector=selector)
    found.sort(key=lambda event: str(event.get("lastTimestamp") or event["metadata"].get("creationTimestamp")))
    return [f"{event.get('reason', '')}: {event.get('message', '')}" for event in found[-_EVENTS:]]


def is_ready(pod: Object) -> bool:
    """Whether the pod serves, or has done its work."""
    status = mapping(pod.get("status"))
    if status.get("phase") == "Succeeded":
        return True
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in mappings(status.get("conditions")))


def _log(connection: Connection, namespace: str, pod: Object) -> list[str]:
    status = mapping(pod.get("status"))
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in mappings(status.get(key)):
            if (
                container.get("ready")
                or mapping(mapping(container.get("state")).get("terminated")).get("exitCode") == 0
            ):
                continue
            path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod['metadata']['name'])}/log"
            query = {"container": str(container["name"]), "tailLines": str(_LOG_LINES)}
            # The latest container may not have said anything yet, and the one before it may be gone already.
            for which in ({}, {"previous": "true"}) if container.get("restartCount") else ({},):
                text = connection.text(path, **query, **which)
                if text and not text.startswith("unable to retrieve container logs"):
                    return text.splitlines()
    return []
