"""Outputs that AWS, or an AWS controller in the cluster, would generate: well formed, and the same on every run."""

from collections.abc import Callable
from typing import Any

from pulumi.runtime.mocks import MockResourceArgs

REGION = "eu-central-1"
ACCOUNT = "111122223333"
HOSTNAME = f"k8s-observability-0123456789.{REGION}.elb.amazonaws.com"
"""Host name of the load balancer in front of every Ingress."""

Inputs = dict[str, Any]


def answers(args: MockResourceArgs) -> dict[str, Any]:
    """Outputs of a resource that are not inputs; every AWS resource gets an ARN."""
    if args.typ == "kubernetes:networking.k8s.io/v1:Ingress":
        return {"status": {"loadBalancer": {"ingress": [{"hostname": HOSTNAME}]}}}
    if not args.typ.startswith("aws:"):
        return {}
    service, _, kind = args.typ.removeprefix("aws:").partition("/")
    generate = _GENERATED.get(kind.rsplit(":", 1)[-1], lambda _name, _inputs: {})
    return {"arn": _arn(service, args)} | generate(args.name, args.inputs)


def _arn(service: str, args: MockResourceArgs) -> str:
    name = args.inputs.get("bucket") or args.inputs.get("name") or args.name
    if service == "s3":
        return f"arn:aws:s3:::{name}"
    if service == "iam":
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"
    resources = {
        "eks": "cluster/",
        "kms": "key/",
        "acm": "certificate/",
        "opensearch": "domain/",
        "amp": "workspace/",
        "cloudwatch": "log-group:",
    }
    namespace = {"amp": "aps", "opensearch": "es", "cloudwatch": "logs"}.get(service, service)
    return f"arn:aws:{namespace}:{REGION}:{ACCOUNT}:{resources.get(service, '')}{name}"


def _validations(_name: str, inputs: Inputs) -> dict[str, Any]:
    return {
        "domainValidationOptions": [
            {
                "domainName": host,
                "resourceRecordName": f"_proof.{host}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_given.acm-validations.aws.",
            }
            for host in (*inputs.get("subjectAlternativeNames", []), inputs["domainName"])
        ]
    }


_GENERATED: dict[str, Callable[[str, Inputs], dict[str, Any]]] = {
    "Bucket": lambda name, _inputs: {"bucketRegionalDomainName": f"{name}.s3.{REGION}.amazonaws.com"},
    "Certificate": _validations,
    "Cluster": lambda _name, inputs: {
        "endpoint": f"https://0123456789ABCDEF.gr7.{REGION}.eks.amazonaws.com",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
        "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": "sg-of-cluster", "vpcId": "vpc-of-cluster"},
        "kubernetesNetworkConfig": {**inputs["kubernetesNetworkConfig"], "serviceIpv4Cidr": "10.100.0.0/16"},
    },
    "Domain": lambda name, _inputs: {"endpoint": f"vpc-{name}.{REGION}.es.amazonaws.com"},
    "Key": lambda name, _inputs: {"keyId": name},
    "PodIdentityAssociation": lambda _name, inputs: {"associationId": f"a-{inputs['serviceAccount']}"},
    "Record": lambda _name, inputs: {"fqdn": inputs["name"]},
    "Workspace": lambda name, _inputs: {
        "prometheusEndpoint": f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-{name}/"
    },
}
"""Maps the last part of a resource type to a function of logical name and inputs that gives the outputs."""
