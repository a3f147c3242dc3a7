"""Creates the platform's resources in EKS and AWS, in this order: foundation, prerequisites, identities, ingress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.assembly.backends import Backends
from components.collector import gateway
from components.eks import identities, policies, stores
from components.eks.addons import Addons
from components.eks.aws_provider import aws_provider, tags
from components.eks.certificate import Certificate
from components.eks.cluster import Cluster
from components.eks.dns import DnsRecords
from components.eks.identities import Identity
from components.eks.ingress import Ingress
from components.eks.login import Login, Oidc
from components.eks.network_enforcement import NetworkEnforcement
from components.eks.policies import ClusterIdentity, Document
from components.eks.storage_class import StorageClass
from components.eks.stores import Stores
from components.grafana import server
from components.kubernetes.pod_identity import PodIdentity
from components.logs import loki
from components.metrics import alertmanager, prometheus
from components.traces import jaeger
from settings.eks import access
from settings.eks import addons as eks_addons
from settings.eks.values import Page
from settings.stack import Settings

_PORTS: Mapping[Page, int] = {
    "grafana": server.PORT,
    "prometheus": prometheus.PORT,
    "alertmanager": alertmanager.PORT,
    "jaeger": jaeger.PORT,
}


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The AWS resources that must exist before any object in the cluster."""

    provider: aws.Provider
    cluster: ClusterIdentity
    cluster_name: pulumi.Input[str]
    """An output of the cluster if the program creates it."""
    kubeconfig: pulumi.Input[str] | None
    """As text, or the path in the settings; None for kubectl's default."""
    addons: Addons
    stores: Stores


def foundation(settings: Settings) -> Foundation | None:
    """Creates provider, data stores, cluster and add-ons. Returns None if cloud is not eks."""
    values, facts = settings.values, settings.facts
    if facts is None:
        return None
    identity = ClusterIdentity(values.cluster_name, facts.region, facts.account_id, values.aws_name_prefix)
    provider = aws_provider("aws", values, facts, settings.stack)
    in_aws = pulumi.ResourceOptions(provider=provider)
    key_arn = stores.key(settings, identity, in_aws)
    cluster_name: pulumi.Input[str] = values.cluster_name
    kubeconfig: pulumi.Input[str] | None = settings.kubeconfig
    network = stores.Network(vpc_id="", security_group_id="")
    if facts.cluster:
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
                "protect": values.protect,
            },
            in_aws,
        )
        cluster_name = created.name
        network = stores.Network(vpc_id=created.vpc_id, security_group_id=created.security_group_id)
        kubeconfig = pulumi.Output.all(created.endpoint, created.certificate_authority).apply(
            lambda known: access.kubeconfig(values, *known)
        )
    modes = eks_addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode)
    installed = Addons(
        "addons",
        {"cluster": identity, "cluster_name": cluster_name, "modes": modes, "volume_key_arn": key_arn},
        in_aws,
    )
    return Foundation(
        provider=provider,
        cluster=identity,
        cluster_name=cluster_name,
        kubeconfig=kubeconfig,
        addons=installed,
        stores=stores.stores(settings, identity, key_arn, network, in_aws),
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
                "policy": policy,
            },
            pulumi.ResourceOptions.merge(opts, needed),
        )
        for account, policy in _policies(settings, foundation.stores).items()
    }


def backends(foundation: Foundation, roles: Mapping[str, Identity]) -> Backends:
    """Identities and backend addresses for the workloads."""
    return Backends(
        identities={
            account: PodIdentity(ready=role.ready, annotations={identities.ANNOTATION: role.association_id})
            for account, role in roles.items()
        },
        remote_write_url=foundation.stores.remote_write_url,
        opensearch_url=foundation.stores.opensearch_url,
    )


def ingress(
    settings: Settings, foundation: Foundation, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """Creates load balancer, certificate, login and DNS records. Returns the resources that pages need outside."""
    values = settings.values
    if values.ingress == "none":
        return []
    in_aws = pulumi.ResourceOptions(provider=foundation.provider)
    hosts = values.hosts
    certificate = Certificate(
        "certificate",
        {"hosts": hosts, "zone_id": values.hosted_zone_id, "certificate_arn": values.certificate_arn},
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
    load_balancer = Ingress(
        "ingress",
        {
            "namespace": namespace,
            "hosts": hosts,
            "ports": {app: _PORTS[app] for app in hosts},
            "scheme": values.ingress,
            "ingress_class": values.ingress_class,
            "auto_mode": values.eks_auto_mode,
            "certificate_arn": certificate.arn,
            "login": login,
            "allowed_cidrs": values.ingress_allowed_cidrs,
            "load_balancer_cidrs": values.load_balancer_cidrs,
            "protect": values.protect,
            "tags": tags(values, settings.stack),
        },
        opts,
    )
    records = DnsRecords(
        "dns", {"zone_id": values.hosted_zone_id, "hosts": hosts, "target": load_balancer.hostname}, in_aws
    )
    return [load_balancer, records]


def _policies(settings: Settings, data_stores: Stores) -> dict[str, pulumi.Input[Document]]:
    """Service account -> IAM policy of its role."""
    documents: dict[str, pulumi.Input[Document]] = {}
    if data_stores.loki_buckets:
        arns = pulumi.Output.all(*data_stores.loki_buckets.values())
        documents[loki.APP] = pulumi.Output.all(arns, data_stores.loki_key_arn).apply(
            lambda known: policies.loki(*known)
        )
    if data_stores.workspace:
        documents[prometheus.APP] = pulumi.Output.from_input(data_stores.workspace.arn).apply(policies.remote_write)
    if settings.values.xray:
        documents[gateway.APP] = policies.xray()
    return documents
