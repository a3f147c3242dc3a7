"""Cluster-wide permissions for apps that query the API server: a service account and its ClusterRole."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

from components.kubernetes.labels import labels


def cluster_rights(
    name: str,
    role_name: str,
    *,
    app: str,
    namespace: pulumi.Input[str],
    rules: Sequence[PolicyRuleArgsDict],
    child: pulumi.ResourceOptions,
) -> k8s.rbac.v1.ClusterRoleBinding:
    """Returns the binding, which is created last: when it exists, the service account `app` has these permissions.

    `name` and `role_name` are the logical names of the component and of the role.
    """
    cluster_wide = pulumi.Output.format("{0}-{1}", namespace, app)
    account = k8s.core.v1.ServiceAccount(
        f"{name}-account",
        metadata={"name": app, "namespace": namespace, "labels": labels(app)},
        automount_service_account_token=False,
        opts=child,
    )
    role = k8s.rbac.v1.ClusterRole(
        role_name,
        metadata={"name": cluster_wide, "labels": labels(app)},
        rules=list(rules),
        opts=child,
    )
    return k8s.rbac.v1.ClusterRoleBinding(
        f"{role_name}-binding",
        metadata={"name": cluster_wide, "labels": labels(app)},
        role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_wide},
        subjects=[{"kind": "ServiceAccount", "name": app, "namespace": namespace}],
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[account, role])),
    )
