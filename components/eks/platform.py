"""Creates the platform's resources in EKS and AWS, in this order: foundation, prerequisites, identities, ingress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.assembly import pages
from components.assembly.backends import Backends
from components.collector import gateway
from components.eks import cluster_access, identities, policies, stores
from components.eks.addons import Addons
from components.eks.aws_provider import aws_provider, tags, zone_provider
from components.eks.certificate import Certificate
from components.eks.cluster import Cluster
from components.eks.identities import Identity
from components.eks.ingress import Ingress
from components.eks.login import Login, Oidc
from components.eks.network.dns import DnsRecords
from components.eks.network.network_enforcement import NetworkEnforcement
from components.eks.policies import ClusterIdentity, Document
from components.eks.signing import calls
from components.eks.signing.calls import Call
from components.eks.storage_class import StorageClass
from components.eks.stores import Stores
from components.eks.workspace import workspace_proxy
from components.kubernetes.pod_identity import PodIdentity
from components.logs import loki
from settings.eks import access
from settings.eks import addons as eks_addons
from settings.eks.aws import dns_server, dns_suffix
from settings.pages import PAGES
from settings.stack import Settings


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The AWS resources that must exist before any object in the cluster."""

    provider: aws.Provider
    zone_provider: aws.Provider
    """The same, unless the hosted zone is reached with a role of its own."""
    cluster: ClusterIdentity
    cluster_name: pulumi.Input[str]
    """An output of the cluster if the program creates it."""
    kubeconfig: pulumi.Input[str] | None
    """As text, or the path in the settings; None for kubectl's default."""
    addons: Addons
    stores: Stores
    dns_servers: Sequence[pulumi.Input[str]]
    """CIDRs of the cluster's DNS servers, see settings.eks.aws.dns_server."""


def foundation(settings: Settings) -> Foundation | None:
    """Creates provider, data stores, cluster and add-ons. Returns None if cloud is not eks."""
    values, facts = settings.values, settings.facts
    if facts is None:
        return None
    identity = ClusterIdentity(
        values.cluster_name,
        facts.region,
        facts.account_id,
        names=values.aws_name_prefix,
        role_path=values.role_path,
        boundary_arn=values.permissions_boundary_arn,
    )
    provider = aws_provider("aws", values, facts, settings.stack)
    in_aws = pulumi.ResourceOptions(provider=provider)
    key_arn = stores.key(settings, identity, in_aws)
    cluster_name: pulumi.Input[str] = values.cluster_name
    kubeconfig: pulumi.Input[str] | None = settings.kubeconfig
    network = stores.Network(vpc_id="", security_group_id="")
    service_cidr: pulumi.Input[str] = ""
    if facts.cluster:
        service_cidr = facts.cluster.service_cidr
        network = stores.Network(vpc_id=facts.cluster.vpc_id, security_group_id=facts.cluster.security_group_id)
    if values.cluster == "create":
        created = Cluster(
            "eks",
            {
                "identity": identity,
                "version": values.cluster_version,
                "subnet_ids": values.cluster_subnet_ids,
                "admin_role_arns": values.cluster_admin_role_arns,
                "key_arn": key_arn,
                "api_cidrs": values.cluster_api_cidrs,
                "api_security_group_ids": values.cluster_api_security_group_ids,
                "public_access_cidrs": values.cluster_public_access_cidrs,
                "support": values.cluster_support,
                "protect": values.protect,
            },
            in_aws,
        )
        cluster_name, service_cidr = created.name, created.service_cidr
        network = stores.Network(vpc_id=created.vpc_id, security_group_id=created.security_group_id)
        kubeconfig = pulumi.Output.all(created.endpoint, created.certificate_authority).apply(
            lambda known: cluster_access.proved(access.kubeconfig(values, *known))
        )
    modes = eks_addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode, create=values.cluster == "create")
    managed = {
        addon: eks_addons.version(addon, values.eks_addons) for addon, mode in modes.items() if mode == "managed"
    }
    installed = Addons(
        "addons",
        {"cluster": identity, "cluster_name": cluster_name, "managed": managed, "volume_key_arn": key_arn},
        in_aws,
    )
    return Foundation(
        provider=provider,
        zone_provider=zone_provider("aws-hosted-zone", values, facts, settings.stack)
        if values.hosted_zone_role_arn
        else provider,
        cluster=identity,
        cluster_name=cluster_name,
        kubeconfig=kubeconfig,
        addons=installed,
        stores=stores.stores(settings, identity, key_arn, network, in_aws),
        # EKS chooses the range of a new cluster, so a preview does not know it.
        dns_servers=[pulumi.Output.from_input(service_cidr).apply(lambda cidr: dns_server(cidr) if cidr else "")],
    )


def prerequisites(settings: Settings, foundation: Foundation, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Prerequisites of the platform's namespace: enforced network policies, and the storage class and CSI driver, which
    must outlive every volume in it.
    """
    enforced = [NetworkEnforcement("network", opts)] if settings.values.cluster == "create" else []
    if settings.values.storage_class:
        return [*enforced]
    driver = foundation.addons.installed.get(eks_addons.EBS_CSI_DRIVER)
    volumes = StorageClass(
        "volumes",
        {
            "auto_mode": settings.values.eks_auto_mode,
            "key_arn": foundation.stores.key_arn,
            "tags": tags(settings.values, settings.stack),
            "iops": settings.values.volume_iops,
            "throughput": settings.values.volume_throughput,
            "protect": settings.values.protect,
        },
        opts,
    )
    return [*enforced, volumes, *([driver] if driver else [])]


def pod_identities(
    settings: Settings, foundation: Foundation, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Mapping[str, Identity]:
    """Service account -> its AWS identity, for each account that needs one. `opts` contains the kubernetes provider."""
    agent = foundation.addons.installed.get(eks_addons.POD_IDENTITY_AGENT)
    needed = pulumi.ResourceOptions(providers=[foundation.provider], depends_on=[agent] if agent else [])
    return {
        account: Identity(
            f"{account}-identity",
            {
                "cluster": foundation.cluster,
                "cluster_name": foundation.cluster_name,
                "namespace": settings.values.namespace,
                "check_namespace": namespace,
                "service_account": account,
                "policy": use.policy,
                "calls": use.calls,
                "target_role_arn": use.target_role_arn or None,
                "oidc_provider_arn": settings.values.oidc_provider_arn,
            },
            pulumi.ResourceOptions.merge(opts, needed),
        )
        for account, use in _uses(settings, foundation.stores).items()
    }


def backends(foundation: Foundation, roles: Mapping[str, Identity]) -> Backends:
    """Identities and backend addresses for the workloads."""
    return Backends(
        identities={
            account: PodIdentity(
                ready=role.ready,
                annotations={identities.ANNOTATION: role.association_id},
                account=role.account_annotations,
            )
            for account, role in roles.items()
        },
        remote_write_url=foundation.stores.remote_write_url,
        workspace_region=foundation.stores.workspace.region if foundation.stores.workspace else "",
        opensearch_url=foundation.stores.opensearch_url,
    )


def ingress(
    settings: Settings, foundation: Foundation, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """Creates load balancer, certificate, login and DNS records. Returns the resources that pages need outside."""
    values = settings.values
    if values.ingress in ("none", "controller"):
        return []
    in_aws = pulumi.ResourceOptions(provider=foundation.provider)
    hosts = values.hosts
    certificate = Certificate(
        "certificate",
        {
            "hosts": hosts,
            "zone_id": values.certificate_zone_id or values.hosted_zone_id,
            "zone_provider": foundation.zone_provider,
            "certificate_arn": values.certificate_arn,
        },
        in_aws,
    )
    login = Login(
        "login",
        {
            "namespace": namespace,
            "oidc": Oidc(
                issuer=values.oidc_issuer,
                authorization_endpoint=values.oidc_authorization_endpoint,
                token_endpoint=values.oidc_token_endpoint,
                user_info_endpoint=values.oidc_user_info_endpoint,
            ),
            "client_id": values.oidc_client_id,
            "client_secret": settings.credential("oidcClientSecret"),
            "auto_mode": values.eks_auto_mode,
        },
        opts,
    )
    gate = pages.page_gate(settings, namespace, opts)
    load_balancer = Ingress(
        "ingress",
        {
            "namespace": namespace,
            "hosts": hosts,
            "ports": {page: PAGES[page].port for page in hosts},
            "gate": gate,
            "scheme": values.ingress,
            "ingress_class": values.ingress_class_name,
            "auto_mode": values.eks_auto_mode,
            "certificate_arn": certificate.arn,
            "login": login,
            "subnet_ids": values.load_balancer_subnet_ids,
            "allowed_cidrs": values.ingress_allowed_cidrs,
            "load_balancer_cidrs": values.load_balancer_cidrs,
            "protect": values.protect,
            "annotations": values.ingress_annotations,
            "attributes": values.load_balancer_attributes,
            "tags": tags(values, settings.stack),
        },
        opts,
    )
    records = DnsRecords(
        "dns",
        {"zone_id": values.hosted_zone_id, "hosts": hosts, "target": load_balancer.hostname},
        pulumi.ResourceOptions(provider=foundation.zone_provider),
    )
    return [load_balancer, records]


@dataclass(frozen=True)
class _Use:
    """What the pods of a service account do in AWS."""

    policy: pulumi.Input[Document]
    calls: pulumi.Input[Sequence[Call]]
    """Calls that prove the policy."""
    target_role_arn: str = ""
    """Role of another account, of which the policy is the way to it; empty for none."""


def _uses(settings: Settings, data_stores: Stores) -> dict[str, _Use]:
    """Service account -> what its pods do in AWS."""
    region = settings.values.aws_region
    suffix = dns_suffix(region)
    uses: dict[str, _Use] = {}
    if data_stores.loki_buckets:
        arns = pulumi.Output.all(*data_stores.loki_buckets.values())
        policy = pulumi.Output.all(arns, data_stores.loki_key_arn).apply(lambda known: policies.loki(*known))
        uses[loki.APP] = _Use(policy, calls.buckets(list(data_stores.loki_buckets), region, suffix))
    if data_stores.workspace:
        url = pulumi.Output.from_input(data_stores.remote_write_url)
        workspace_region, central = data_stores.workspace.region, settings.values.remote_write_role_arn
        own = pulumi.Output.from_input(data_stores.workspace.arn).apply(policies.workspace)
        uses[workspace_proxy.APP] = _Use(
            policies.assume(central) if central else own,
            url.apply(lambda known: calls.workspace(known, workspace_region)),
            central,
        )
    if settings.values.xray:
        uses[gateway.APP] = _Use(policies.xray(), calls.xray(region, suffix))
    return uses
