"""Conflicts on EKS: values that are valid alone, but not together."""

import math
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from settings.eks import addons, gp3, load_balancer, opensearch
from settings.eks.values import EksValues
from settings.pages import PageValues
from settings.values import Values
from settings.volumes import volumes

_OWN_DEFAULT = {
    "cluster": "existing",
    "role_path": "/",
    "manage_loki_bucket": True,
}
"""Field -> value that counts as not set, for fields where that is not an empty value."""
_SIZES = (
    "cluster_version",
    "cluster_support",
    "opensearch_instance_type",
    "opensearch_instances",
    "opensearch_storage",
    "managed_prometheus_retention",
)
"""Fields that only configure a feature. They have no effect unless another field switches the feature on."""
_ADDON_ALTERNATIVES = {"kube_state_metrics": "kube-state-metrics", "node_exporter": "prometheus-node-exporter"}
"""Field that switches on the platform's own workload -> add-on that does the same job."""
_INGRESS = ("hosted_zone_id", "oidc_issuer", "ingress_allowed_cidrs", "load_balancer_cidrs")
_ONLY_WITH_CREATE = ("cluster_api_security_group_ids", "cluster_public_access_cidrs")
_ONLY_WITH_INGRESS = (
    "certificate_arn",
    "hosted_zone_role_arn",
    "load_balancer_attributes",
    "load_balancer_subnet_ids",
)


class WorkspaceName(NamedTuple):
    """What names a workspace in an account."""

    id: str
    """ws-…"""
    region: str


def conflicts(values: Values) -> dict[str, str]:
    """Maps each conflicting field to text that is appended to its "allowed" message (usually empty)."""
    if values.cloud != "eks":
        return dict.fromkeys(_set(values), "; only when cloud is eks")
    # Not merged into one dict: a field that is right in one part may be wrong in another.
    parts = (_account(values), _cluster(values), _storage(values), _backends(values), _ingress(values))
    conditions = {name: "" for part in parts for name, is_conflicting in part.items() if is_conflicting}
    return conditions | {
        switch: f"; only one of this and the add-on {addon} in eksAddons"
        for switch, addon in _ADDON_ALTERNATIVES.items()
        if getattr(values, switch) and values.eks_addons.get(addon, "off") != "off"
    }


def addon_problems(values: Values) -> list[str]:
    """Problems in eksAddons; each line starts with the name of the add-on."""
    if values.cloud != "eks":
        return []
    problems = addons.problems(values.eks_addons, auto_mode=values.eks_auto_mode)
    needs_driver = not values.storage_class and not values.eks_auto_mode
    if needs_driver and values.eks_addons.get(addons.EBS_CSI_DRIVER) == "off":
        problems.append(
            f"{addons.EBS_CSI_DRIVER}: 'off' is not allowed; allowed: managed or existing while storageClass is "
            "not set, because nothing else serves the class that the program makes"
        )
    return problems


def makes_loki_bucket(values: Values) -> bool:
    """Whether the program creates the bucket of the logs."""
    return values.cloud == "eks" and logs_in_aws(values) and values.manage_loki_bucket


def workspace(url: str) -> WorkspaceName | None:
    """The Amazon Managed Prometheus workspace in a remote write URL; None for any other server."""
    parts = urlsplit(url)
    id_ = re.fullmatch(r"/workspaces/(ws-[\w-]+)/api/v1/remote_write", parts.path)
    region = re.search(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:\w+\.)?amazonaws\.com$", parts.hostname or "")
    return WorkspaceName(id_[1], region[1]) if id_ and region else None


def logs_in_aws(values: Values) -> bool:
    """Whether logs are stored in S3 on AWS, not on another S3 server."""
    return values.loki_storage_backend == "s3" and not values.loki_s3_endpoint


def _set(values: Values) -> list[str]:
    names = [name for name in EksValues.model_fields if name not in (*_SIZES, *PageValues.model_fields)]
    return [name for name in names if (value := getattr(values, name)) != _OWN_DEFAULT.get(name, type(value)())]


def _account(values: Values) -> dict[str, object]:
    arns = {"kms_key_arn": values.kms_key_arn, "certificate_arn": values.certificate_arn}
    return {
        "aws_role_arn": values.aws_role_arn and values.aws_role_arn.split(":")[4] != values.aws_account_id,
        "owner": not values.owner,
        "aws_account_id": not values.aws_account_id,
        "oidc_provider_arn": values.oidc_provider_arn
        and (values.cluster == "create" or values.oidc_provider_arn.split(":")[4] != values.aws_account_id),
        "proxy_url": values.proxy_url and not values.pod_cidrs,
        "no_proxy": values.no_proxy and not values.proxy_url,
        **{name: arn and _location(arn) != (values.aws_region, values.aws_account_id) for name, arn in arns.items()},
    }


def _cluster(values: Values) -> dict[str, object]:
    create = values.cluster == "create"
    subnets = len(set(values.cluster_subnet_ids))
    needs_subnets = create or values.opensearch_domain
    ways_in = values.cluster_api_cidrs or values.cluster_api_security_group_ids or values.cluster_public_access_cidrs
    return {
        # EKS lets nobody but the cluster's own nodes reach its API.
        "cluster_api_cidrs": not ways_in if create else values.cluster_api_cidrs,
        **{name: getattr(values, name) and not create for name in _ONLY_WITH_CREATE},
        "cluster_subnet_ids": subnets < 2 if needs_subnets else subnets,
        "cluster_admin_role_arns": create != bool(values.cluster_admin_role_arns),
        "eks_auto_mode": create and not values.eks_auto_mode,
        # No kubeconfig can contain a cluster that does not exist yet.
        "kubeconfig": create and values.kubeconfig,
        "kube_context": create and values.kube_context,
    }


def _storage(values: Values) -> dict[str, object]:
    ruler = values.loki_ruler_bucket
    # EBS rounds up to whole GiB.
    smallest = min(math.ceil(one.bytes / 2**30) for one in volumes(values).values())
    most_throughput = gp3.most_throughput(values.volume_iops or gp3.BASE_IOPS)
    return {
        # All volumes have the same class, and EBS refuses a volume that is too small for the class's IOPS.
        "volume_iops": values.volume_iops and (values.storage_class or values.volume_iops > gp3.most_iops(smallest)),
        "volume_throughput": values.volume_throughput
        and (values.storage_class or values.volume_throughput > most_throughput),
        "volume_role_arns": values.volume_role_arns and (values.cluster == "create" or values.kms_key_arn),
        "loki_bucket_key_arn": values.loki_bucket_key_arn
        and (
            values.manage_loki_bucket
            or not logs_in_aws(values)
            or _location(values.loki_bucket_key_arn)[0] != values.aws_region
        ),
        "manage_loki_bucket": not values.manage_loki_bucket and not logs_in_aws(values),
        "loki_ruler_bucket": ruler and (ruler == values.loki_bucket or not makes_loki_bucket(values)),
    }


def _backends(values: Values) -> dict[str, object]:
    host = urlsplit(values.remote_write_url).hostname or ""
    return {
        "managed_prometheus": values.managed_prometheus and values.remote_write_url,
        # AWS refuses requests that name no workspace.
        "remote_write_url": host.endswith(".amazonaws.com") and not workspace(values.remote_write_url),
        # EKS assumes a second role for Pod Identity only.
        "remote_write_role_arn": values.remote_write_role_arn
        and (not workspace(values.remote_write_url) or values.oidc_provider_arn),
        "opensearch_instances": values.opensearch_domain
        and opensearch.instances_problem(values.opensearch_instances, len(set(values.cluster_subnet_ids))),
        **{
            name: getattr(values, name) and not values.opensearch_domain
            for name in ("opensearch_client_security_group_ids", "opensearch_client_cidrs", "opensearch_master_type")
        },
        "opensearch_domain": values.opensearch_domain and (not values.opensearch or values.opensearch_url),
    }


def _ingress(values: Values) -> dict[str, object]:
    used = values.ingress not in ("none", "controller")
    return {
        **{name: bool(getattr(values, name)) != used for name in _INGRESS},
        **{name: getattr(values, name) and not used for name in _ONLY_WITH_INGRESS},
        "certificate_zone_id": values.certificate_zone_id and (not used or values.certificate_arn),
        "ingress_annotations": load_balancer.own_annotations(values.ingress_annotations),
    }


def _location(arn: str) -> tuple[str, str]:
    _, _, _, region, account, _ = arn.split(":", 5)
    return region, account
