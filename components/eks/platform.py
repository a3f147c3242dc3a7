"""The platform's part in EKS and AWS, in the order of its creation: foundation, prerequisites, identities, ingress."""

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
    """What must exist before anything in the cluster."""

    provider: aws.Provider
    cluster: ClusterIdentity
    cluster_name: pulumi.Input[str]
    """An output of the cluster where the program makes it."""
    kubeconfig: pulumi.Input[str] | None
    """None where the settings name one."""
    addons: Addons
    stores: Stores


def foundation(settings: Settings) -> Foundation | None:
    """Provider, data stores, cluster and add-ons; None where cloud is not eks."""
    values, facts = settings.values, settings.facts
    if facts is None:
        return None
    identity = ClusterIdentity(values.cluster_name, facts.region, facts.account_id)
    provider = aws_provider("aws", values, facts, settings.stack)
    there = pulumi.ResourceOptions(provider=provider)
    key_arn = stores.key(settings, identity, there)
    cluster_name: pulumi.Input[str] = values.cluster_name
    kubeconfig: pulumi.Input[str] | None = settings.kubeconfig
    network = stores.Network(vpc_id="", security_group_id="")
    if facts.cluster:
        network = stores.Network(vpc_id=facts.cluster.vpc_id, security_group_id=facts.cluster.security_group_id)
    if values.cluster == "create":
        made = Cluster(
            "eks",
            {
                "identity": identity,
                "version": values.cluster_version,
                "subnet_ids": values.cluster_subnet_ids,
                "admin_role_arns": values.cluster_admin_role_arns,
                "key_arn": key_arn,
                "protect": values.protect,
            },
            there,
        )
        cluster_name = made.name
        network = stores.Network(vpc_id=made.vpc_id, security_group_id=made.security_group_id)
        kubeconfig = pulumi.Output.all(made.endpoint, made.certificate_authority).apply(
            lambda known: access.kubeconfig(values, *known)
        )
    modes = eks_addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode)
    installed = Addons(
        "addons",
        {"cluster": identity, "cluster_name": cluster_name, "modes": modes, "volume_key_arn": key_arn},
        there,
    )
    return Foundation(
        provider=provider,
        cluster=identity,
        cluster_name=cluster_name,
        kubeconfig=kubeconfig,
        addons=installed,
        stores=stores.stores(settings, identity, key_arn, network, there),
    )


def prerequisites(settings: Settings, base: Foundation, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Prerequisites of the platform's namespace: enforced network policies, and the storage class and CSI driver, which
    must outlive every volume in it.
    """
    enforced = [NetworkEnforcement("network", opts)] if settings.values.cluster == "create" else []
    if settings.values.storage_class:
        return [*enforced]
    driver = base.addons.installed.get(eks_addons.EBS_CSI_DRIVER)
    volumes = StorageClass(
        "volumes",
        {
            "auto_mode": settings.values.eks_auto_mode,
            "key_arn": base.stores.key_arn,
            "protect": settings.values.protect,
        },
        opts,
    )
    return [*enforced, volumes, *([driver] if driver else [])]


def pod_identities(
    settings: Settings, base: Foundation, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Mapping[str, Identity]:
    """Service account -> its role in AWS, for each that needs one; `opts` carries the provider kubernetes."""
    agent = base.addons.installed.get(eks_addons.POD_IDENTITY_AGENT)
    needed = pulumi.ResourceOptions(providers=[base.provider], depends_on=[agent] if agent else [])
    return {
        account: Identity(
            f"{account}-identity",
            {
                "cluster": base.cluster,
                "cluster_name": base.cluster_name,
                "namespace": settings.values.namespace,
                "check_namespace": namespace,
                "service_account": account,
                "policy": policy,
            },
            pulumi.ResourceOptions.merge(opts, needed),
        )
        for account, policy in _policies(settings, base.stores).items()
    }


def backends(base: Foundation, roles: Mapping[str, Identity]) -> Backends:
    """Identities and addresses for the workloads."""
    return Backends(
        identities={
            account: PodIdentity(ready=role.ready, annotations={identities.ANNOTATION: role.association_id})
            for account, role in roles.items()
        },
        remote_write_url=base.stores.remote_write_url,
        opensearch_url=base.stores.opensearch_url,
    )


def ingress(
    settings: Settings, base: Foundation, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """Load balancer, certificate, login and names; what to wait for before a page is opened from outside."""
    values = settings.values
    if values.ingress == "none":
        return []
    there = pulumi.ResourceOptions(provider=base.provider)
    hosts = values.hosts
    certificate = Certificate(
        "certificate",
        {"hosts": hosts, "zone_id": values.hosted_zone_id, "certificate_arn": values.certificate_arn},
        there,
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
    names = DnsRecords(
        "dns", {"zone_id": values.hosted_zone_id, "hosts": hosts, "target": load_balancer.hostname}, there
    )
    return [load_balancer, names]


def _policies(settings: Settings, kept: Stores) -> dict[str, pulumi.Input[Document]]:
    values = settings.values
    found: dict[str, pulumi.Input[Document]] = {}
    if kept.loki_buckets:
        arns = pulumi.Output.all(*kept.loki_buckets.values())
        found[loki.APP] = pulumi.Output.all(arns, kept.loki_key_arn).apply(lambda known: policies.loki(*known))
    if kept.workspace:
        found[prometheus.APP] = pulumi.Output.from_input(kept.workspace.arn).apply(policies.remote_write)
    if values.xray:
        found[gateway.APP] = policies.xray()
    return found
