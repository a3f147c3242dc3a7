"""Runs a pod of a rendered manifest as a process on this machine.

The process has its own read-only root folder with only the manifest's mounts, runs as the manifest's user without
capabilities, and sees only the manifest's environment variables. Unlike on a node, this machine's `/usr` with Debian's
Python replaces the image, and the process uses this machine's network.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.mock_engine import Recorded

# Mount namespaces need root. In CI, an ordinary user runs the tests and gets root by sudo.
_ROOT = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
# The arguments are the root folder, the user, the group, the variables and the command.
_SCRIPT = """
set -eu
root=$1 user=$2 group=$3
shift 3
mount --bind /usr "$root/usr"
mount --bind "$root" "$root"
mount --rbind /usr "$root/usr"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/usr"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs --inh-caps=-all \\
    --bounding-set=-all env --ignore-environment PATH=/usr/local/bin:/usr/bin:/bin "$@"
"""


def run(recorded: Recorded, spec: dict[str, Any], root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs the pod's only container to its end in the empty folder `root`. `command` replaces the container's own."""
    (container,) = spec["containers"]
    security = spec["securityContext"]
    assert security["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    _image(root)
    volumes = {volume["name"]: volume["configMap"]["name"] for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        for name, text in recorded.one("ConfigMap", volumes[mount["name"]]).inputs["data"].items():
            (folder / name).write_text(text)
    user = [str(int(security[key])) for key in ("runAsUser", "runAsGroup")]
    variables = [f"{one['name']}={_value(recorded, one)}" for one in container["env"]]
    arguments = command or container["command"]
    return subprocess.run(
        [*_ROOT, "unshare", "--mount", "sh", "-c", _SCRIPT, "sh", root, *user, *variables, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _image(root: Path) -> None:
    """Prepares the content of an image with Python: programs and libraries, but no home, no /etc and no /tmp."""
    root.chmod(0o755)
    (root / "usr").mkdir()
    for name in ("bin", "lib", "lib64"):
        if (Path("/") / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def _value(recorded: Recorded, variable: dict[str, Any]) -> str:
    if "value" in variable:
        return variable["value"]
    reference = variable["valueFrom"]["secretKeyRef"]
    return recorded.one("Secret", reference["name"]).inputs["stringData"][reference["key"]]
