"""Identities of pods in AWS (EKS Pod Identity): a role, its tie to a service account, and proof that pods get it."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import PodSpecArgsDict

from components.eks import policies
from components.eks.policies import ClusterIdentity, Document
from components.kubernetes import pods
from components.kubernetes.labels import labels
from settings import versions

ANNOTATION = "observability/pod-identity"
"""Of pods: the association that they were admitted with. They get no other later, so a new one must restart them."""

# Several servers admit pods, and each learns of an association by itself: pods in a row meet more than one.
_PROOFS = 3
# Less than the ten minutes that Pulumi waits, so that the Job's own word is what one reads.
_DEADLINE_SECONDS = 540
# What EKS adds to a pod whose service account has an association.
_CHECK = (
    'if [ -n "$AWS_CONTAINER_CREDENTIALS_FULL_URI" ] && [ -s "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" ]; '
    "then echo 'EKS gives this pod an identity'; "
    "else echo 'EKS gave this pod no identity: the association is not known yet' >&2; exit 1; fi"
)


class PodRoleArgs(TypedDict):
    """What the pods of one service account may do in AWS."""

    cluster: ClusterIdentity
    namespace: str
    service_account: str
    policy: NotRequired[pulumi.Input[Document]]
    """A document of components.eks.policies; none if left out."""
    managed_policy_arns: NotRequired[Sequence[str]]
    """Policies that AWS maintains; none if left out."""


def pod_role(name: str, args: PodRoleArgs, child: pulumi.ResourceOptions) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """The role, and what must exist before it may do all it should."""
    cluster = args["cluster"]
    role = aws.iam.Role(
        f"{name}-role",
        name=cluster.role_name(args["service_account"]),
        description=f"Pods of {args['namespace']}/{args['service_account']} in the EKS cluster {cluster.name}",
        assume_role_policy=pulumi.Output.json_dumps(
            policies.pod_trust(cluster, args["namespace"], args["service_account"])
        ),
        opts=child,
    )
    rights: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(f"{name}-{arn.rsplit('/', 1)[-1]}", role=role.name, policy_arn=arn, opts=child)
        for arn in args.get("managed_policy_arns", [])
    ]
    if "policy" in args:
        rights.append(
            aws.iam.RolePolicy(
                f"{name}-policy",
                name="access",
                role=role.name,
                policy=pulumi.Output.json_dumps(args["policy"]),
                opts=child,
            )
        )
    return role, rights


class IdentityArgs(PodRoleArgs):
    """Arguments of Identity."""

    cluster_name: pulumi.Input[str]
    """The cluster's name; an output of the cluster where the program makes it, so that it exists first."""
    check_namespace: pulumi.Input[str]
    """The same namespace as an output of the object, so that it exists before the Job that checks."""


class Identity(pulumi.ComponentResource):
    """The identity of one service account; `ready` once new pods get it. Needs the providers aws and kubernetes.

    EKS takes seconds until it knows an association, a pod that it admits meanwhile never gets credentials, and nothing
    reports it. Therefore a Job starts pods until several in a row got theirs, and workloads wait for the Job.

    The service account belongs to its workload, which comes after the Job, so the Job has one of its own. Its
    association is made last: who knows it knows the workload's. It gives no rights, for the role trusts only the
    workload's service account.
    """

    role_arn: pulumi.Output[str]
    association_id: pulumi.Output[str]
    """For the annotation ANNOTATION of the workload's pods."""
    ready: pulumi.Resource
    """What the workload must depend on."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Identity", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role, rights = pod_role(name, args, child)
        self.role_arn = role.arn
        association = aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args["cluster_name"],
            # Literal names: neither has to exist, and a replaced namespace must not take the identity along.
            namespace=args["namespace"],
            service_account=args["service_account"],
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=rights),
        )
        self.association_id = association.association_id
        check = f"{args['service_account']}-identity"
        checked = aws.eks.PodIdentityAssociation(
            f"{name}-check-association",
            cluster_name=args["cluster_name"],
            namespace=args["namespace"],
            service_account=check,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[association]),
        )
        account = k8s.core.v1.ServiceAccount(
            f"{name}-check-account",
            metadata={"name": check, "namespace": args["check_namespace"], "labels": labels(check)},
            automount_service_account_token=False,
            opts=child,
        )
        self.ready = k8s.batch.v1.Job(
            f"{name}-check",
            metadata={"name": check, "namespace": args["check_namespace"], "labels": labels(check)},
            spec={
                "completions": _PROOFS,
                "parallelism": 1,
                # One pod cannot try twice: it has an identity from the start, or never.
                "backoff_limit": 12,
                "active_deadline_seconds": _DEADLINE_SECONDS,
                # No ttlSecondsAfterFinished: a Job that removes itself would be created again by each `pulumi up`.
                "template": {
                    "metadata": {
                        "labels": labels(check, versions.PROMETHEUS),
                        # A Job's template cannot change: with a new association comes a new Job, and after it.
                        "annotations": {
                            ANNOTATION: pulumi.Output.format(
                                "{0} {1}", association.association_id, checked.association_id
                            )
                        },
                    },
                    "spec": _pod(check),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account],
                custom_timeouts=pulumi.CustomTimeouts(create="10m"),
            ),
        )
        self.register_outputs({"role_arn": self.role_arn, "association_id": self.association_id})


def _pod(check: str) -> PodSpecArgsDict:
    return {
        "service_account_name": check,
        # The token of the identity is another one, which EKS adds.
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pods.pod_security(),
        "restart_policy": "Never",
        "containers": [
            pods.secured(
                {
                    "name": "check",
                    # An image with a shell that the nodes need anyway.
                    "image": versions.PROMETHEUS_IMAGE,
                    "command": ["/bin/sh", "-c", _CHECK],
                    "resources": pods.resources(cores=0.01, memory="32Mi"),
                }
            )
        ],
    }
