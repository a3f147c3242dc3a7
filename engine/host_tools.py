"""The programs that a stack needs on this machine, whatever cluster it is in."""

import os
import subprocess

from engine.workspace import official_plugin
from local import toolchain
from local.progress import say, step
from settings import versions

_PLUGIN = "pulumi-resource-kubernetes"
_DOWNLOAD_SECONDS = 300
"""The provider has 40 MB. A slower line gets it by the next `make up`."""


def ensure() -> None:
    """Provide pulumi, kubectl and the Kubernetes provider: from PATH and Pulumi's plugins, else built.

    The official provider is downloaded once by the Pulumi CLI. Where it cannot be, it is built from its module, which
    takes a quarter of an hour. Raises LocalError if a build fails.
    """
    toolchain.ensure(["pulumi", "kubectl"])
    if official_plugin("kubernetes") or toolchain.present(_PLUGIN):
        return
    problem = _download()
    if problem:
        say(f"Kubernetes provider {versions.PULUMI_KUBERNETES}: no download ({problem}); it is built instead")
        toolchain.ensure([_PLUGIN])


def _download() -> str:
    """Installs the official plugin for this user. Returns the problem in one line; empty if there is none."""
    command = [toolchain.tool("pulumi"), "plugin", "install", "resource", "kubernetes", versions.PULUMI_KUBERNETES]
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        with step(f"Kubernetes provider {versions.PULUMI_KUBERNETES}: downloading the official plugin"):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS
            )
    except subprocess.TimeoutExpired:
        return f"not finished after {_DOWNLOAD_SECONDS} s"
    if done.returncode == 0 and official_plugin("kubernetes"):
        return ""
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
