"""An OpenSearch domain for Jaeger's traces and the log index: inside the VPC, encrypted, with logins.

Creating a domain takes half an hour, sometimes more than an hour. Changing its size takes up to three hours.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.log_group import log_group
from components.eks.network.security_groups import https_from
from components.eks.policies import ClusterIdentity, Document
from settings import versions
from settings.eks import opensearch
from settings.eks.aws import dns_suffix
from settings.quantities import quantity_bytes

_NAME_LENGTH = 28
_GIB = 2**30
_LOGS = {
    "ES_APPLICATION_LOGS": "errors",
    "AUDIT_LOGS": "audit",
    "SEARCH_SLOW_LOGS": "slow-searches",
    "INDEX_SLOW_LOGS": "slow-writes",
}
"""Kind of log -> end of its log group's name. Slow logs are empty until an index has thresholds, as the log index has:
publishing them takes an update of the whole domain, a threshold only a request."""
_TIMES = pulumi.CustomTimeouts(create="120m", update="180m", delete="90m")


class SearchDomainArgs(TypedDict):
    """Arguments of SearchDomain."""

    identity: ClusterIdentity
    """The domain is named after this cluster."""
    key_arn: pulumi.Input[str]
    """KMS key of indices and snapshots. It cannot change during the life of the domain."""
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[str]
    """Private subnets of that VPC, each in a different zone; at least opensearch.zones(instances)."""
    client_security_group_ids: Mapping[str, pulumi.Input[str]]
    """Security groups of nodes or pods, by name, whose members may connect to the domain."""
    client_cidrs: Sequence[str]
    """Address ranges of nodes or pods that may connect to the domain."""
    instance_type: str
    instances: int
    """See settings.eks.opensearch.instances_problem."""
    master_type: str
    """Instance type of dedicated masters; empty for none."""
    storage: str
    """Volume of each instance, as a Kubernetes quantity; rounded up to whole GiB."""
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    """See settings.eks.opensearch.password_problem."""
    protect: bool
    """Whether Pulumi refuses to delete the domain, and AWS retains it when it leaves the program."""


class SearchDomain(pulumi.ComponentResource):
    """A store of traces and of the log index, for any number of Jaeger replicas.

    The account must have OpenSearch's service-linked role, which gives access to a VPC. Preflight checks for it.

    The domain's first user has all permissions. components/opensearch/user.py makes users with fewer in the cluster,
    because the machine that runs `pulumi up` cannot reach the domain's API.
    """

    name: str
    """Name of the domain, see domain_name."""
    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    """https URL. Known once the domain accepts requests."""

    def __init__(self, name: str, args: SearchDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if problem := opensearch.instances_problem(args["instances"], len(args["subnet_ids"])):
            raise ValueError(f"OpenSearch instances: {args['instances']} {problem}")
        super().__init__("observability:index:SearchDomain", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.name = domain_name(args["identity"])
        group, entries = _security_group(name, args, child)
        names = log_groups(args["identity"])
        logs = _logs(name, args, names, self)
        domain = aws.opensearch.Domain(
            f"{name}-domain",
            domain_name=self.name,
            # The release with which the tests run Jaeger.
            engine_version=f"OpenSearch_{'.'.join(versions.OPENSEARCH.split('.')[:2])}",
            cluster_config=_instances(args),
            ebs_options={
                "ebs_enabled": True,
                "volume_type": "gp3",
                "volume_size": -(-quantity_bytes(args["storage"]) // _GIB),
            },
            vpc_options={
                "subnet_ids": list(args["subnet_ids"][: opensearch.zones(args["instances"])]),
                "security_group_ids": [group.id],
            },
            encrypt_at_rest={"enabled": True, "kms_key_id": args["key_arn"]},
            node_to_node_encryption={"enabled": True},
            # Patches of the same version, at night. Without it they wait until AWS forces them.
            off_peak_window_options={"enabled": True},
            log_publishing_options=[
                {"log_type": kind, "cloudwatch_log_group_arn": args["identity"].log_group_arn(group)}
                for kind, group in names.items()
            ],
            software_update_options={"auto_software_update_enabled": True},
            domain_endpoint_options={"enforce_https": True, "tls_security_policy": "Policy-Min-TLS-1-2-PFS-2023-10"},
            advanced_security_options={
                "enabled": True,
                "internal_user_database_enabled": True,
                "master_user_options": {
                    "master_user_name": args["username"],
                    "master_user_password": pulumi.Output.secret(args["password"]).apply(_checked),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args["protect"],
                retain_on_delete=args["protect"],
                # AWS refuses log groups that the domain may not write.
                depends_on=[*entries, *logs],
                custom_timeouts=_TIMES,
            ),
        )
        # A separate resource, because the policy contains the domain's ARN.
        policy = aws.opensearch.DomainPolicy(
            f"{name}-policy",
            domain_name=domain.domain_name,
            access_policies=pulumi.Output.json_dumps(domain.arn.apply(access_policy)),
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_TIMES),
        )
        self.arn = domain.arn
        self.url = pulumi.Output.all(domain.endpoint, policy.id).apply(lambda known: f"https://{known[0]}")
        self.register_outputs({"name": self.name, "arn": self.arn, "url": self.url})


def domain_name(identity: ClusterIdentity) -> str:
    """Name of the cluster's domain: a letter, then small letters, digits and `-`, at most 28 characters.

    A name that has to be changed or cut ends in a hash of the original.
    """
    whole = identity.prefix
    name = re.sub("[^a-z0-9-]", "-", whole.lower())
    if not name[0].isalpha():
        name = f"c{name}"
    if name == whole and len(name) <= _NAME_LENGTH:
        return name
    return f"{name[: _NAME_LENGTH - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def domain_arn(identity: ClusterIdentity) -> str:
    """The ARN that AWS gives to the cluster's domain."""
    return f"arn:{identity.partition}:es:{identity.region}:{identity.account_id}:domain/{domain_name(identity)}"


def log_groups(identity: ClusterIdentity) -> dict[str, str]:
    """Names of the log groups of the cluster's domain, by the kind of log."""
    return {kind: f"/aws/opensearch/{domain_name(identity)}/{rest}" for kind, rest in _LOGS.items()}


def access_policy(domain_arn: str) -> Document:
    """Permits everybody's requests, which still need a login. Jaeger signs no requests, so IAM sees no principal.

    The security group limits the sources. The policy permits reading, writing and deleting documents and indices, and
    no action on the domain itself.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Requests",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"es:ESHttp{method}" for method in ("Delete", "Get", "Head", "Post", "Put")],
                "Resource": [f"{domain_arn}/*"],
            }
        ],
    }


def _instances(args: SearchDomainArgs) -> aws.opensearch.DomainClusterConfigArgsDict:
    spread = opensearch.zones(args["instances"])
    config: aws.opensearch.DomainClusterConfigArgsDict = {
        "instance_type": args["instance_type"],
        "instance_count": args["instances"],
        "zone_awareness_enabled": spread > 1,
    }
    if spread > 1:
        config["zone_awareness_config"] = {"availability_zone_count": spread}
    if args["master_type"]:
        # An even number elects nobody when a half is away, and one is none when it is away.
        config["dedicated_master_enabled"] = True
        config["dedicated_master_type"], config["dedicated_master_count"] = args["master_type"], 3
    return config


def _logs(
    name: str, args: SearchDomainArgs, names: Mapping[str, str], parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """The log groups, and the permission for this domain to write them."""
    identity = args["identity"]
    groups = [
        log_group(f"{name}-logs-{_LOGS[kind]}", group, args["key_arn"], protect=args["protect"], parent=parent)
        for kind, group in names.items()
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SearchLogs",
                "Effect": "Allow",
                "Principal": {"Service": f"es.{dns_suffix(identity.region)}"},
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"],
                "Resource": [f"{identity.log_group_arn(group)}:*" for group in names.values()],
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": identity.account_id},
                    "ArnEquals": {"aws:SourceArn": domain_arn(identity)},
                },
            }
        ],
    }
    permission = aws.cloudwatch.LogResourcePolicy(
        f"{name}-logs-policy",
        policy_name=domain_name(identity),
        policy_document=json.dumps(policy),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return [*groups, permission]


def _security_group(
    name: str, args: SearchDomainArgs, child: pulumi.ResourceOptions
) -> tuple[aws.ec2.SecurityGroup, list[aws.vpc.SecurityGroupIngressRule]]:
    """Permits HTTPS from the clients, and no outgoing traffic."""
    group = aws.ec2.SecurityGroup(
        f"{name}-group",
        name=f"{args['identity'].prefix}-search",
        description=f"OpenSearch of the observability platform in the EKS cluster {args['identity'].name}",
        vpc_id=args["vpc_id"],
        opts=child,
    )
    return group, https_from(
        name, group.id, "Jaeger and the collectors", args["client_cidrs"], args["client_security_group_ids"], child
    )


def _checked(password: str) -> str:
    if problem := opensearch.password_problem(password):
        raise ValueError(
            f"the password of OpenSearch's user (opensearchPassword) {problem}; allowed: {opensearch.PASSWORD_ALLOWED}"
        )
    return password
