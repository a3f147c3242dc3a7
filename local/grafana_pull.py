"""Grafana's image for the embedded cluster, whose node reaches no registry: this machine pulls it, if it can."""

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from local import grafana_home, images
from local.errors import LocalError
from local.paths import cache
from local.progress import say
from local.toolchain import tool
from settings import versions
from settings.images import full_name

ANSWER_SECONDS = 4
"""Seconds in which the registry must answer, so that a machine without internet loses no more at each `make up`."""
PULL_SECONDS = 120
"""Seconds for the whole pull, of some 200 MB."""
# The registry's API has another host than its images' names.
_API_HOSTS = {"docker.io": "registry-1.docker.io"}


def archive(image: str = versions.GRAFANA_IMAGE) -> Path | None:
    """The image as an archive in the cache, pulled if it is not there. None, with one line that says why, without it.

    Does nothing if the cluster can run Grafana already (GRAFANA_HOME).
    """
    if grafana_home.available():
        return None
    name = full_name(image).replace("/", "-").replace(":", "-")
    target = cache() / "images" / f"{name}-{images.ARCHITECTURE}.tar"
    if target.exists():
        return target
    try:
        _require_answer(image)
        _pull(image, target)
    except LocalError as error:
        say(
            f"Grafana: left out, because {error}. With an unpacked release it runs all the same: "
            f"{grafana_home.VARIABLE}=folder make up"
        )
        return None
    return target


def _require_answer(image: str) -> None:
    """Raises LocalError unless the image's registry answers. Otherwise crane would be built for nothing."""
    host = full_name(image).partition("/")[0]
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{_API_HOSTS.get(host, host)}/v2/"
    try:
        urllib.request.urlopen(url, timeout=ANSWER_SECONDS).close()  # noqa: S310 (the scheme is one of the two above)
    except urllib.error.HTTPError as error:
        error.close()  # an answer: most registries want a login here, and give one to everybody
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise LocalError(f"the registry {host} does not answer ({reason})") from error


def _pull(image: str, target: Path) -> None:
    say(f"Grafana: pulling {image}, for at most {PULL_SECONDS} s")
    target.parent.mkdir(exist_ok=True)
    new = target.with_suffix(".new")
    command = [tool("crane"), "pull", f"--platform=linux/{images.ARCHITECTURE}", full_name(image), new]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        raise LocalError(f"{image} was not pulled within {PULL_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LocalError(f"{image} cannot be pulled: {lines[-1]}")
    new.replace(target)
