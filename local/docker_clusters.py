"""A cluster of this checkout in Docker, made by kind, k3d or minikube. Its nodes pull the images that registries have.

The cluster's kubeconfig is the one of the embedded cluster, so that all commands find either in the same way, and the
user's own kubeconfig stays as it is.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from local import images, simulator_image
from local.errors import LocalError
from local.paths import KUBECONFIG, ROOT, STATE
from local.progress import say, step
from local.toolchain import tool
from settings import versions

_RECORD = STATE / "docker-cluster.json"
NAME = f"observability-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"
"""Name of the cluster. Each checkout has its own."""
FREE_GIB = 10
"""Node image, the platform's images and their unpacked layers take 7 GiB; the volumes need the rest."""


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A program that makes clusters in Docker. `{name}` and `{archive}` are filled in."""

    program: str
    listed: tuple[str, ...]
    """Prints the names of its clusters, as lines or inside of JSON."""
    create: tuple[str, ...]
    load: tuple[str, ...]
    """Copies an image archive to the nodes."""
    delete: tuple[str, ...]
    kubeconfig: tuple[str, ...] = ()
    """Prints the kubeconfig. Without it, the program writes the file that KUBECONFIG names."""

    def run(self, arguments: Sequence[str], archive: Path | None = None) -> str:
        """Runs the program and returns what it prints. Raises LocalError with its last lines if it fails."""
        filled = [argument.format(name=NAME, archive=archive) for argument in arguments]
        environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
        done = subprocess.run(
            [self.program, *filled], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
            raise LocalError(f"`{self.program} {' '.join(filled)}` failed:\n{tail}")
        return done.stdout


# Each program's default Kubernetes is the one that its release was tested with; the program refuses a version that the
# platform does not support.
MAKERS = {
    "kind": Maker(
        program="kind",
        listed=("get", "clusters"),
        create=("create", "cluster", "--name={name}", "--wait=180s"),
        load=("load", "image-archive", "{archive}", "--name={name}"),
        delete=("delete", "cluster", "--name={name}"),
    ),
    "k3d": Maker(
        program="k3d",
        listed=("cluster", "list", "--output=json"),
        # The cluster needs neither k3s's own metrics-server nor its ingress.
        create=(
            *("cluster", "create", "{name}", "--wait", "--timeout=180s", "--kubeconfig-update-default=false"),
            *("--k3s-arg=--disable=traefik@server:*", "--k3s-arg=--disable=metrics-server@server:*"),
        ),
        load=("image", "import", "{archive}", "--cluster={name}"),
        delete=("cluster", "delete", "{name}"),
        kubeconfig=("kubeconfig", "get", "{name}"),
    ),
    "minikube": Maker(
        program="minikube",
        listed=("profile", "list", "--output=json"),
        # Its default network enforces no network policies.
        create=("start", "--profile={name}", "--driver=docker", "--cni=calico", "--embed-certs", "--memory=5g"),
        load=("image", "load", "{archive}", "--profile={name}"),
        delete=("delete", "--profile={name}"),
    ),
}
"""Maps names to makers, in the order in which `make up` tries them."""


def recorded() -> Maker | None:
    """The maker of this checkout's cluster; None if there is none, also while the embedded cluster is used."""
    try:
        return MAKERS[json.loads(_RECORD.read_text())["maker"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise LocalError(
            f"{_RECORD} cannot be read; remove it, and the cluster {NAME} by the program that made it"
        ) from None


def docker_problem() -> str:
    """Why Docker cannot be used, as one line; empty if it answers."""
    if not shutil.which("docker"):
        return "docker is not on PATH"
    try:
        answer = simulator_image.docker("info", "--format={{.ServerVersion}}").strip()
    except LocalError as error:
        return str(error).splitlines()[-1]
    return "" if answer else "`docker info` names no server"


def up(name: str) -> None:
    """Create the cluster by the maker `name` unless it exists, and load the simulator's image if it is new or changed.

    An interrupted run can be repeated. Raises LocalError if Docker does not answer, the disk is nearly full, or the
    nodes have another architecture than the image.
    """
    maker = MAKERS[name]
    if problem := docker_problem():
        raise LocalError(
            f"{name} needs a running Docker: {problem}. Start Docker, or use another cluster: KUBE_CONTEXT=name "
            "make up, or, on Linux as root, CLUSTER=embedded make up"
        )
    STATE.mkdir(exist_ok=True)
    if NAME not in maker.run(maker.listed) or not KUBECONFIG.exists():
        _check_disk()
        _remember(maker, image="")  # before the cluster exists, so that `make down` also removes one that is half made
        _remove(maker)  # of an interrupted run
        with step(f"cluster: {name} creates a cluster"):
            maker.run(maker.create)
        if maker.kubeconfig:
            KUBECONFIG.touch(mode=0o600)
            KUBECONFIG.write_text(maker.run(maker.kubeconfig))
        KUBECONFIG.chmod(0o600)
    _load_simulator(maker)


def down(maker: Maker) -> None:
    """Delete the cluster. Its kubeconfig and the engine's state stay. Safe to repeat."""
    say(f"cluster: {maker.program} deletes {NAME}")
    maker.run(maker.delete)


def _remove(maker: Maker) -> None:
    if NAME in maker.run(maker.listed):
        maker.run(maker.delete)
    KUBECONFIG.unlink(missing_ok=True)


def _load_simulator(maker: Maker) -> None:
    """Load the image if it is new or changed."""
    key = simulator_image.key()
    if json.loads(_RECORD.read_text()).get("image") == key:
        return
    _check_architecture()
    with TemporaryDirectory(dir=STATE) as scratch:
        archive = Path(scratch) / "simulator.tar"
        simulator_image.write(archive)
        with step(f"cluster: {maker.program} loads image {versions.SIMULATOR_IMAGE}"):
            maker.run(maker.load, archive)
    _remember(maker, image=key)


def _check_architecture() -> None:
    command = [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", "nodes"]
    output = "--output=jsonpath={.items[*].status.nodeInfo.architecture}"
    done = subprocess.run([*command, output], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"the nodes of cluster {NAME} cannot be listed: {done.stderr.strip()}")
    others = set(done.stdout.split()) - {images.ARCHITECTURE}
    if others:
        raise LocalError(
            f"the simulator's image is made for {images.ARCHITECTURE}, like this machine, and nodes of the cluster "
            f"are {', '.join(sorted(others))}; let {NAME} run on {images.ARCHITECTURE}, or build simulator/Dockerfile "
            "for the nodes"
        )


def _check_disk() -> None:
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < FREE_GIB:
        raise LocalError(f"disk nearly full: {ROOT} has {free:.1f} GiB free, {FREE_GIB} GiB are needed")


def _remember(maker: Maker, *, image: str) -> None:
    _RECORD.write_text(json.dumps({"maker": maker.program, "image": image}))
