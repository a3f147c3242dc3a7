"""Connects two network namespaces as the node connects pods, and tries to reach one from the other.

usage: unshare --mount --net --fork python3 pods_on_a_bridge.py NODE_ROOT CNI_CONFIGURATION

Prints JSON: for `ipv4` and for `ipv6` (link-local) whether a port of the other pod is open.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORT = 9090
_PROBE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
scope = (0, socket.if_nametoindex("eth0")) if ":" in sys.argv[1] else ()
with socket.socket(family) as client:
    client.settimeout(3)
    sys.exit(client.connect_ex((sys.argv[1], int(sys.argv[2]), *scope)) != 0)
"""


def main() -> None:
    """Prints what the first pod reaches of the second."""
    root, plugins = Path(sys.argv[1]), json.loads(sys.argv[2])
    for kind, place in (("tmpfs", "/run"), ("sysfs", "/sys")):
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
    addresses = [_pod(root, plugins, name) for name in ("attacker", "victim")]
    mac = _in("victim", "cat", "/sys/class/net/eth0/address").split(":")
    mac[0] = f"{int(mac[0], 16) ^ 2:02x}"
    # An attacker finds the MAC address in its own ARP table.
    link_local = "fe80::{}{}:{}ff:fe{}:{}{}".format(*mac)
    listening = subprocess.Popen(
        ["ip", "netns", "exec", "victim", sys.executable, "-m", "http.server", str(PORT), "--bind", "::"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not (ipv4 := _open(addresses[1])) and time.monotonic() < deadline:
            time.sleep(0.2)
        # A new address is not used before nobody else has claimed it for about two seconds.
        while "tentative" in _in("victim", "ip", "-6", "address") and time.monotonic() < deadline:
            time.sleep(0.2)
        print(json.dumps({"ipv4": ipv4, "ipv6": _open(link_local)}))
    finally:
        listening.kill()
        listening.wait()


def _pod(root: Path, configuration: dict[str, Any], name: str) -> str:
    """Runs the plugins for a new namespace, as a container runtime does; returns its IPv4 address."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    folder = root / "usr/lib/cni"
    result: dict[str, Any] = {}
    for plugin in configuration["plugins"]:
        if plugin["type"] == "portmap":
            continue  # for ports on the host
        document = {**plugin, "cniVersion": configuration["cniVersion"], "name": configuration["name"]}
        if plugin["type"] == "bridge":
            document |= {"ipMasq": False, "ipam": {**plugin["ipam"], "dataDir": "/run/addresses"}}
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": name, "CNI_NETNS": f"/run/netns/{name}"}
        done = subprocess.run(
            [str(folder / plugin["type"])],
            input=json.dumps(document | ({"prevResult": result} if result else {})),
            env={**os.environ, **environment, "CNI_IFNAME": "eth0", "CNI_PATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{plugin['type']}: {done.stdout}{done.stderr}")
        result = json.loads(done.stdout)
    return result["ips"][0]["address"].partition("/")[0]


def _open(address: str) -> bool:
    probe = ["ip", "netns", "exec", "attacker", sys.executable, "-c", _PROBE, address, str(PORT)]
    return subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _in(pod: str, *command: str) -> str:
    done = subprocess.run(["ip", "netns", "exec", pod, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
