"""Values of a stack on EKS that are fine alone, but not together."""

import re
from urllib.parse import urlsplit

from settings.eks import addons, opensearch
from settings.eks.values import EksValues
from settings.values import Values

_OWN_DEFAULT = {
    "cluster": "existing",
    "ingress": "none",
    "manage_loki_bucket": True,
}
"""Value that counts as not set, where that is no empty one."""
_SIZES = ("cluster_version", "ingress_class", "opensearch_instance_type", "opensearch_instances", "opensearch_storage")
"""Keys that say how, not whether: nothing reads them where the other key is not set."""
_OF_ONE_JOB = {"kube_state_metrics": "kube-state-metrics", "node_exporter": "prometheus-node-exporter"}
"""Switch of our own workload -> the add-on that does the same."""
_INGRESS = ("hosted_zone_id", "oidc_issuer", "oidc_client_id", "ingress_allowed_cidrs", "load_balancer_cidrs")
_OIDC_ENDPOINTS = ("oidc_authorization_endpoint", "oidc_token_endpoint", "oidc_user_info_endpoint")


def misfits(values: Values) -> dict[str, str]:
    """Name of each field that does not fit -> what its description of the allowed leaves out; mostly empty."""
    if values.cloud != "eks":
        return dict.fromkeys(_set(values), "; only when cloud is eks")
    # One after the other: a field may be right for one, and wrong for another.
    parts = (_account(values), _cluster(values), _storage(values), _backends(values), _ingress(values))
    words = {name: "" for part in parts for name, is_wrong in part.items() if is_wrong}
    return words | {
        switch: f"; only one of this and the add-on {addon} in eksAddons"
        for switch, addon in _OF_ONE_JOB.items()
        if getattr(values, switch) and values.eks_addons.get(addon, "off") != "off"
    }


def addon_problems(values: Values) -> list[str]:
    """What is wrong with eksAddons; lines start with the add-on."""
    if values.cloud != "eks":
        return []
    found = addons.problems(values.eks_addons, auto_mode=values.eks_auto_mode)
    unserved = not values.storage_class and not values.eks_auto_mode
    if unserved and values.eks_addons.get(addons.EBS_CSI_DRIVER) == "off":
        found.append(
            f"{addons.EBS_CSI_DRIVER}: 'off' is not allowed; allowed: managed or existing while storageClass is "
            "not set, because nothing else serves the class that the program makes"
        )
    return found


def makes_loki_bucket(values: Values) -> bool:
    """Whether the bucket of the logs is the program's."""
    return values.cloud == "eks" and logs_in_aws(values) and values.manage_loki_bucket


def workspace(url: str) -> str | None:
    """Id of the workspace of Amazon Managed Prometheus that a remote write URL leads to; None for another server."""
    parts = urlsplit(url)
    match = re.fullmatch(r"/workspaces/(ws-[\w-]+)/api/v1/remote_write", parts.path)
    return match[1] if match and str(parts.hostname).endswith(".amazonaws.com") else None


def logs_in_aws(values: Values) -> bool:
    """Whether logs are in S3 of AWS itself."""
    return values.loki_storage_backend == "s3" and not values.loki_s3_endpoint


def _set(values: Values) -> list[str]:
    asked = [name for name in EksValues.model_fields if name not in _SIZES]
    return [name for name in asked if (value := getattr(values, name)) != _OWN_DEFAULT.get(name, type(value)())]


def _account(values: Values) -> dict[str, object]:
    arns = {"kms_key_arn": values.kms_key_arn, "certificate_arn": values.certificate_arn}
    return {
        "owner": not values.owner,
        "aws_account_id": not values.aws_account_id,
        **{name: arn and _place(arn) != (values.aws_region, values.aws_account_id) for name, arn in arns.items()},
    }


def _cluster(values: Values) -> dict[str, object]:
    create = values.cluster == "create"
    subnets = len(set(values.cluster_subnet_ids))
    used = create or values.opensearch_domain
    return {
        "cluster_subnet_ids": subnets < 2 if used else subnets,
        "cluster_admin_role_arns": create != bool(values.cluster_admin_role_arns),
        "eks_auto_mode": create and not values.eks_auto_mode,
        # A cluster that does not exist yet is in no kubeconfig.
        "kubeconfig": create and values.kubeconfig,
        "kube_context": create and values.kube_context,
    }


def _storage(values: Values) -> dict[str, object]:
    ruler = values.loki_ruler_bucket
    return {
        "manage_loki_bucket": not values.manage_loki_bucket and not logs_in_aws(values),
        "loki_ruler_bucket": ruler and (ruler == values.loki_bucket or not makes_loki_bucket(values)),
    }


def _backends(values: Values) -> dict[str, object]:
    host = urlsplit(values.remote_write_url).hostname or ""
    return {
        "managed_prometheus": values.managed_prometheus and values.remote_write_url,
        # Signed for another region, or sent to no workspace, every request would be refused.
        "remote_write_url": host.endswith(".amazonaws.com")
        and (f".{values.aws_region}." not in host or not workspace(values.remote_write_url)),
        "opensearch_instances": values.opensearch_domain
        and opensearch.instances_problem(values.opensearch_instances, len(set(values.cluster_subnet_ids))),
        "opensearch_domain": values.opensearch_domain and (not values.opensearch or values.opensearch_url),
    }


def _ingress(values: Values) -> dict[str, object]:
    used = values.ingress != "none"
    return {
        "domain": used and not values.domain,
        **{name: bool(getattr(values, name)) != used for name in (*_INGRESS, *_OIDC_ENDPOINTS)},
        **{name: getattr(values, name) and not used for name in ("certificate_arn", "grafana_admin_group")},
    }


def _place(arn: str) -> tuple[str, str]:
    _, _, _, region, account, _ = arn.split(":", 5)
    return region, account
