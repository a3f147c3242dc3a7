"""Which cluster `make up` uses, and why: one that the user names, one in Docker, or the embedded one.

A checkout keeps its cluster: a program that is installed later does not change the choice until `make down`.
"""

import os
import platform
import shutil
from dataclasses import dataclass

from local import cluster, docker_clusters, grafana_home, image_registry
from local.errors import LocalError

EMBEDDED = "embedded"
CLUSTER = "CLUSTER"
"""Environment variable that chooses between the clusters that a checkout can make."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The cluster to use."""

    maker: str
    """`embedded`, or a name in MAKERS; empty for a cluster that KUBE_CONTEXT names."""
    reason: str

    @property
    def pulls(self) -> bool:
        """Whether its nodes pull images from registries, so that no image is built here."""
        return self.maker != EMBEDDED or bool(image_registry.used())

    def __str__(self) -> str:
        return f"cluster: {self.maker or os.environ['KUBE_CONTEXT']}, because {self.reason}"


def choose() -> Choice:
    """The cluster for the local stack. Raises LocalError, naming every possibility, if this machine has none.

    Also raises LocalError if CLUSTER is unknown, or contradicts KUBE_CONTEXT or the cluster that the checkout has, and
    if IMAGE_REGISTRY is set for another cluster than the embedded one.
    """
    chosen = _chosen()
    registry = os.environ.get(image_registry.VARIABLE, "")
    if registry and chosen.maker != EMBEDDED:
        raise LocalError(
            f"{image_registry.VARIABLE}={registry} is for the embedded cluster only ({chosen}); unset it, or use the "
            "setting imageRegistry"
        )
    return chosen


def _chosen() -> Choice:
    wanted, context = os.environ.get(CLUSTER, ""), os.environ.get("KUBE_CONTEXT", "")
    allowed = (EMBEDDED, *docker_clusters.MAKERS)
    if wanted and wanted not in allowed:
        raise LocalError(f"{CLUSTER}={wanted} is not allowed; allowed: {', '.join(allowed)}")
    if wanted and context:
        raise LocalError(f"{CLUSTER}={wanted} and KUBE_CONTEXT={context} name two clusters; set one of them")
    if context:
        return Choice(maker="", reason="KUBE_CONTEXT names it")
    if present := existing():
        if wanted and wanted != present:
            raise LocalError(f"{CLUSTER}={wanted}: this checkout has a cluster ({present}); remove it by `make down`")
        return Choice(maker=present, reason="this checkout has it")
    if wanted:
        return Choice(maker=wanted, reason=f"{CLUSTER} names it")
    found = next(filter(shutil.which, docker_clusters.MAKERS), None)
    if found and shutil.which("docker"):
        return Choice(maker=found, reason=f"{found} and docker are on PATH")
    if platform.system() == "Linux" and os.geteuid() == 0:
        return Choice(maker=EMBEDDED, reason=f"{_lacking(found)}, and this is Linux with root")
    raise LocalError(
        f"no cluster: KUBE_CONTEXT is not set, {_lacking(found)}, and the embedded cluster needs Linux with root. "
        "Name a cluster of yours (KUBE_CONTEXT=name make up), or install Docker and kind, k3d or minikube, or run on "
        "Linux as root"
    )


def existing() -> str:
    """The cluster that this checkout has: `embedded` or a maker's name; empty if it has none."""
    maker = docker_clusters.recorded()
    return maker.program if maker else EMBEDDED if cluster.exists() else ""


def runs_grafana() -> bool:
    """Whether this checkout's cluster can run Grafana: in Docker always, embedded only if its image could be had."""
    return docker_clusters.recorded() is not None or grafana_home.available()


def builds_images() -> bool:
    """Whether this checkout's cluster runs images that are built here, be it by way of a registry: the embedded one."""
    return docker_clusters.recorded() is None


def up(choice: Choice) -> None:
    """Start the cluster, unless KUBE_CONTEXT names one."""
    if choice.maker == EMBEDDED:
        cluster.up()
    elif choice.maker:
        docker_clusters.up(choice.maker)


def down() -> None:
    """Remove the cluster of this checkout and everything that it created, except the tool cache. Safe to repeat."""
    if maker := docker_clusters.recorded():
        docker_clusters.down(maker)
        cluster.forget()
    else:
        cluster.down()


def _lacking(found: str | None) -> str:
    makers = ", ".join(docker_clusters.MAKERS)
    return f"docker is not on PATH ({found} is)" if found else f"none of {makers} is on PATH"
