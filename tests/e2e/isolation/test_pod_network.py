"""Pods of the embedded cluster have no address that its policies do not cover, and reach no program of the host.

Nor do they reach more of the cluster's DNS server than DNS.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from local import cluster, debian, node_process
from local.paths import ROOT
from settings import versions
from tests.e2e.conftest import eventually

Ask = Callable[[str, str, int, str], Any]
SCRIPT = Path(__file__).parent / "pods_on_a_bridge.py"
PROBE = """
import json, socket, sys, time
reached = set()
for _ in range(5):
    for address, port in json.loads(sys.argv[1]):
        try:
            socket.create_connection((address, port), timeout=2).close()
        except OSError:
            continue
        reached.add((address, port))
    time.sleep(1)
print(json.dumps(sorted(reached)))
"""
"""Prints which of the addresses and ports accept a connection, at once or within some seconds."""
API_SERVER = ("kubernetes.default.svc", 443)
DNS_PORTS = (53, 8080, 8181, 9153)
"""Ports of CoreDNS: DNS, health, readiness and metrics."""


@pytest.mark.skipif(not cluster.IPV6.is_dir(), reason="this kernel has no IPv6")
def test_a_pod_reaches_another_by_ipv4_only() -> None:
    """Network policies filter IPv4; here there are none."""
    configuration = cluster.pod_network((ROOT / "local/node/bridge.conflist").read_text(), ipv6=True)
    done = subprocess.run(
        [
            *("unshare", "--mount", "--net", "--fork", sys.executable, str(SCRIPT)),
            *(str(debian.root("node", cluster.PACKAGES)), configuration),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ipv4": True, "ipv6": False}


@pytest.fixture
def host_port() -> Iterator[int]:
    """The port of a program of this machine that listens on all addresses, as developers' databases do."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with closing(socket.create_server(("", 0), family=family, backlog=64, dualstack_ipv6=both)) as server:

        def accept() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return  # closed

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        # It wakes `accept`, which a close does not.
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.e2e
def test_a_pod_without_a_policy_reaches_no_port_of_the_host(core: client.CoreV1Api, host_port: int) -> None:
    node = node_process.current()
    assert node, "the local cluster does not run: make up"
    addresses = host_addresses()
    assert node.host_address in addresses, "the host's end of the node's link"
    for address in addresses:
        socket.create_connection((address, host_port), timeout=5).close()  # the program answers there
    # A link-local address has a meaning on one interface only, which every pod calls eth0.
    targets = [(address.partition("%")[0] + "%eth0" * ("%" in address), host_port) for address in addresses]
    # The last one shows that the pod reaches what it may, and that it tried.
    assert probed(core, [*targets, API_SERVER]) == [API_SERVER]


@pytest.mark.e2e
def test_a_pod_without_a_policy_reaches_only_dns_of_the_dns_server(core: client.CoreV1Api, ask: Ask) -> None:
    servers = [
        pod.status.pod_ip
        for pod in core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
        if pod.status.phase == "Running"
    ]
    assert servers
    tried = [(server, port) for server in servers for port in DNS_PORTS]
    assert probed(core, tried) == sorted((server, 53) for server in servers)

    def scraped() -> bool:
        path = "/api/v1/query?query=min_over_time(up%7Bapp%3D%22coredns%22%7D%5B1m%5D)"
        found = ask("observability", "prometheus-0", 9090, path)["data"]["result"]
        return [one["value"][1] for one in found] == ["1"] * len(servers)

    eventually(scraped, seconds=180, what="Prometheus does not reach the DNS server's metrics")


def host_addresses() -> list[str]:
    """All addresses of this machine but its loopback's; those that are link-local with their interface."""
    done = subprocess.run(["ip", "-json", "address", "show", "up"], check=True, capture_output=True, text=True)
    found: list[str] = []
    for interface in json.loads(done.stdout):
        for one in interface.get("addr_info", []):
            linked = one["family"] == "inet6" and one["scope"] == "link"
            if one["scope"] != "host" and not (one.get("tentative") or one.get("dadfailed")):
                found.append(f"{one['local']}%{interface['ifname']}" if linked else one["local"])
    return found


def probed(core: client.CoreV1Api, targets: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The targets that a pod reaches. Its namespace is new, and no network policy applies there."""
    name = f"e2e-reach-{time.time_ns()}"
    container = {
        "name": "probe",
        "image": versions.SIMULATOR_IMAGE,
        "command": ["python3", "-c", PROBE, json.dumps(targets)],
    }
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    pod: Any = {"metadata": {"name": "probe"}, "spec": spec}
    core.create_namespace({"metadata": {"name": name}})
    try:
        # The namespace gets its service account a moment later.
        eventually(lambda: core.create_namespaced_pod(name, pod), seconds=30, what="the probe is not accepted")
        eventually(
            lambda: core.read_namespaced_pod("probe", name).status.phase in ("Succeeded", "Failed"),
            seconds=60 + 15 * len(targets),
            what="the probe did not end",
        )
        log = core.read_namespaced_pod_log("probe", name)
    finally:
        core.delete_namespace(name)
    return [(address, port) for address, port in json.loads(log)]
