"""The image of the simulated systems and of the receiver, which no registry has: written to an archive, or pushed.

It is made from this checkout and Debian packages, without Docker. On systems without these packages, Docker builds the
same from `simulator/Dockerfile`.
"""

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from local import debian, images
from local.errors import LocalError
from local.paths import ROOT
from local.progress import step
from local.toolchain import tool
from settings import versions

# A host with a dot, a port, or localhost: a name without one would go to a registry that the user has not named.
_NAME = re.compile(
    r"(localhost|[\w-]+(\.[\w-]+)+|[\w.-]+(?=:))(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[\w][\w.-]{0,127})?"
)


def key() -> str:
    """A text that changes with the image. Without Debian's packages this builds the image, which Docker caches."""
    return images.key(images.simulator()) if debian.available() else _built_by_docker()


def write(archive: Path) -> None:
    """Write the image in the format of `docker save`."""
    if debian.available():
        images.write_archive(images.simulator(), archive)
    else:
        _built_by_docker()
        docker("save", f"--output={archive}", versions.SIMULATOR_IMAGE)


def push(name: str) -> str:
    """Push the image to `name`, such as registry.example.com/team/simulator, under this version if it has no tag.

    Returns the reference. A login is the one of `docker login` or `crane auth login`. Raises LocalError if the registry
    refuses, or `name` has no registry.
    """
    if not _NAME.fullmatch(name):
        raise LocalError(
            f"PUSH={name} is not allowed; allowed: a registry's host, a path of small letters and, optionally, a tag, "
            "such as registry.example.com/team/simulator"
        )
    tagged = ":" in name.rsplit("/", 1)[-1]
    reference = name if tagged else f"{name}:{versions.SIMULATOR}"
    with TemporaryDirectory() as scratch:
        archive = Path(scratch) / "simulator.tar"
        write(archive)
        with step("simulator image: push"):
            done = subprocess.run(
                [tool("crane"), "push", archive, reference], capture_output=True, text=True, check=False
            )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LocalError(f"{reference} cannot be pushed: {lines[-1]}")
    return reference


def docker(*arguments: str) -> str:
    """Run Docker's command line in this checkout and return what it prints. Raises LocalError with its last lines."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise LocalError(f"`docker {' '.join(arguments)}` failed:\n{tail}")
    return done.stdout


def _built_by_docker() -> str:
    """Builds the image by its Dockerfile, and returns the image's id."""
    reference = versions.SIMULATOR_IMAGE
    with step(f"simulator image: docker builds {reference}"):
        docker("build", "--quiet", "--file=simulator/Dockerfile", f"--tag={reference}", ".")
    return docker("image", "inspect", "--format={{.Id}}", reference).strip()
