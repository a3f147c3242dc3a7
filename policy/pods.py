"""Rules for pods: more than Pod Security `restricted`, resources on every container, and pinned images."""

import re
from collections.abc import Iterator
from typing import Any

from policy.resource import UNKNOWN, Resource, Rule, at, elements, is_true

_TEMPLATES = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}
_HOST_SWITCHES = ("hostNetwork", "hostPID", "hostIPC")
_PRESENT = ("requests.cpu", "requests.memory", "limits.memory")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# Three numbers, a day, or a commit.
_RELEASE = re.compile(r"\d+\.\d+\.\d+|\d{8}|\d{4}-\d\d-\d\d|^[0-9a-f]{12,40}$")
_TAG = re.compile(r":([\w][\w.-]*)$")


def pod_spec(resource: Resource) -> Any:  # noqa: ANN401 (inputs have no static type)
    """The pod specification of a resource that creates pods; None for other resources."""
    path = _TEMPLATES.get(resource.kind) if resource.kubernetes else None
    return at(resource.props, *path) if path else None


def containers(pod: Any) -> list[Any]:  # noqa: ANN401 (inputs have no static type)
    """All containers of a pod, including init containers."""
    return [container for key in ("initContainers", "containers") for container in elements(at(pod, key))]


def _host(resource: Resource) -> Iterator[str]:
    pod = pod_spec(resource)
    for switch in _HOST_SWITCHES:
        if at(pod, switch) is True:
            yield f"{switch} is true; allowed: false"
    for volume in elements(at(pod, "volumes")):
        path = at(volume, "hostPath", "path")
        if path not in (None, UNKNOWN):
            yield f"hostPath {path}; allowed: the pod's own volumes"
    for container in containers(pod):
        for port in elements(at(container, "ports")):
            if at(port, "hostPort"):
                yield f"container {at(container, 'name')}: hostPort {port['hostPort']}; allowed: none, use a Service"


def _non_root(resource: Resource) -> Iterator[str]:
    pod = pod_spec(resource)
    for container in containers(pod):
        name = at(container, "name")
        if not is_true(_effective(pod, container, "runAsNonRoot")):
            yield f"container {name}: runAsNonRoot is not true"
        if _effective(pod, container, "runAsUser") == 0:
            yield f"container {name}: runAsUser is 0; allowed: any other"


def _effective(pod: Any, container: Any, key: str) -> Any:  # noqa: ANN401 (inputs have no static type)
    """The setting in effect for a container: its own overrides the pod's."""
    own = at(container, "securityContext", key)
    return at(pod, "securityContext", key) if own is None else own


def _hardened(resource: Resource) -> Iterator[str]:
    pod = pod_spec(resource)
    for container in containers(pod):
        for problem in _unhardened(pod, container):
            yield f"container {at(container, 'name')}: {problem}"


def _unhardened(pod: Any, container: Any) -> Iterator[str]:  # noqa: ANN401 (inputs have no static type)
    security = at(container, "securityContext")
    if at(security, "privileged") is True:
        yield "privileged is true"
    if at(security, "allowPrivilegeEscalation") not in (False, UNKNOWN):
        yield "allowPrivilegeEscalation is not false"
    if not is_true(at(security, "readOnlyRootFilesystem")):
        yield "readOnlyRootFilesystem is not true"
    if security is not UNKNOWN and "ALL" not in elements(at(security, "capabilities", "drop")):
        yield "capabilities.drop lacks ALL"
    for added in elements(at(security, "capabilities", "add")):
        yield f"capabilities.add has {added}; allowed: none"
    seccomp = at(_effective(pod, container, "seccompProfile"), "type")
    if seccomp not in ("RuntimeDefault", "Localhost", UNKNOWN):
        yield f"seccompProfile is {seccomp}; allowed: RuntimeDefault, Localhost"


def _resources(resource: Resource) -> Iterator[str]:
    for container in containers(pod_spec(resource)):
        for path in _PRESENT:
            if not at(container, "resources", *path.split(".")):
                yield f"container {at(container, 'name')}: resources.{path} is not set"


def _image(resource: Resource) -> Iterator[str]:
    for container in containers(pod_spec(resource)):
        image = at(container, "image")
        if image is not UNKNOWN and not _pinned(str(image or "")):
            yield f"container {at(container, 'name')}: image {image!r}; allowed: a release as tag, or a digest"


def _pinned(image: str) -> bool:
    if "@" in image:
        return bool(_DIGEST.search(image))
    tag = _TAG.search(image)
    # Tags with fewer numbers, such as latest, 3 and 3.20, move from release to release.
    return bool(tag and _RELEASE.search(tag[1]))


RULES = (
    Rule(name="pod-host", description="A pod shares nothing with its node.", check=_host),
    Rule(name="pod-non-root", description="No container runs as root.", check=_non_root),
    Rule(
        name="pod-hardened",
        description="A container has no privileges or capabilities, cannot gain any, and has a read-only file system.",
        check=_hardened,
    ),
    Rule(
        name="container-resources",
        # CPU limits are omitted on purpose (components/kubernetes/pods.py).
        description="Every container requests CPU and memory, and has a memory limit.",
        check=_resources,
    ),
    Rule(name="image-pinned", description="An image is pinned to a release or digest.", check=_image),
)
