"""One pod of a rendered manifest as a process of this machine: its command, files, environment, user and nothing else.

A stand-in for a node, and says so: the image's place is taken by this machine's `/usr` with Debian's Python, and the
network is this machine's. What is real: a root folder of its own that nobody can write, in which stands what the
manifest mounts, the manifest's user without any right, and an environment of the manifest's variables alone.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.mock_engine import Recorded

# Namespaces need root; in CI, where a user like any other runs the tests, sudo gives it.
_ROOT = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
# Arguments: the root folder, the user, the group, and then variables and the command.
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
    """Runs a pod's only container to its end, in the empty folder `root`; `command` takes the place of its own."""
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
    """What an image with Python has: programs and libraries, and no home, no /etc and no /tmp."""
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
