"""Names: a record for each host that leads to the load balancer."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws

from components.eks.network.dns import DnsRecords
from tests.mock_engine import Recorded

HOSTS = {"grafana": "grafana.staging.example.com", "jaeger": "jaeger.staging.example.com"}


def test_each_host_leads_to_the_load_balancer(engine: Callable[..., Recorded], preview: bool) -> None:
    def program() -> None:
        there = pulumi.ResourceOptions(providers=[aws.Provider("aws", region="eu-central-1")])
        target = pulumi.Output.from_input("lb.elb.amazonaws.com")
        DnsRecords("names", {"zone_id": "Z1", "hosts": HOSTS, "target": target}, there)

    recorded = engine(program, preview=preview)
    assert {one.name: one.inputs for one in recorded.of("Record")} == {
        f"names-{app}": {
            "zoneId": "Z1",
            "name": host,
            "type": "CNAME",
            "records": ["lb.elb.amazonaws.com"],
            "ttl": 60,
        }
        for app, host in HOSTS.items()
    }
    assert recorded.outputs["names"] == {"names": list(HOSTS.values())}
