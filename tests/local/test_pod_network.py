"""Pods of the embedded cluster have no IPv6, which its network policies do not cover, and connect to no host port.

tests/e2e/isolation/test_pod_network.py tries it.
"""

import json
from typing import Any

import pytest

from components.kubernetes.labels import PART_OF, PLATFORM, selector
from components.metrics import cluster_jobs
from local.cluster import DNS_POLICY, pod_network
from local.paths import ROOT

NODE = ROOT / "local/node"
OFF = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}


@pytest.mark.parametrize(
    ("ipv6", "expected"), [(True, ["bridge", "tuning", "portmap"]), (False, ["bridge", "portmap"])]
)
def test_ipv6_is_switched_off_where_the_kernel_has_it(ipv6: bool, expected: list[str]) -> None:
    plugins = json.loads(pod_network((NODE / "bridge.conflist").read_text(), ipv6=ipv6))["plugins"]
    assert [plugin["type"] for plugin in plugins] == expected
    assert [plugin["sysctl"] for plugin in plugins if plugin["type"] == "tuning"] == [OFF] * ipv6


def test_the_node_refuses_what_pods_begin_with_the_host() -> None:
    script = (NODE / "init.sh").read_text()
    assert "iptables -t mangle -A FORWARD -i cni0 -o eth0 -m conntrack --ctstate NEW -j DROP\n" in script
    assert script.index("iptables") < script.index("runsvdir"), "a pod may run before the rule is set"


def test_of_the_dns_server_pods_reach_dns_and_prometheus_its_metrics() -> None:
    spec: Any = DNS_POLICY["spec"]
    assert spec["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert spec["policyTypes"] == ["Ingress"]
    dns, metrics = spec["ingress"]
    assert dns == {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    (prometheus,) = metrics["from"]
    assert prometheus == {
        "namespaceSelector": {"matchLabels": {PART_OF: PLATFORM}},
        "podSelector": {"matchLabels": selector("prometheus")},
    }
    assert [port["port"] for port in metrics["ports"]] == [int(scraped_port())]


def scraped_port() -> str:
    """The port of the job that scrapes the DNS server."""
    (job,) = (job for job in cluster_jobs.jobs("30s") if job["job_name"] == "coredns")
    return job["relabel_configs"][0]["regex"].partition(";")[2]
