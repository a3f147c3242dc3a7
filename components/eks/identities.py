"""AWS identities of pods (EKS Pod Identity): a role, its association with a service account, and a proof of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, PodSpecArgsDict
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.eks import policies, roles
from components.eks.policies import ClusterIdentity, Document
from components.eks.signing import aws_request, prove
from components.eks.signing.calls import Call
from components.kubernetes import checksum, network_policies, pod_identity, pods
from components.kubernetes.labels import labels
from settings import versions

ANNOTATION = "observability/pod-identity"
"""Annotation of pods with the association at their admission. Running pods keep it, so a new one must restart them."""

_ROLE = "eks.amazonaws.com/role-arn"
# Successive pods with credentials. Several servers admit pods, and each learns of an association independently.
_PROOFS = 3
# Less than the ten minutes that Pulumi waits, so that Pulumi reports the Job's own message.
_DEADLINE_SECONDS = 540
_PROGRAMS = (Path(aws_request.__file__), Path(prove.__file__))
_MOUNT = "/signing"


class PodRoleArgs(TypedDict):
    """AWS permissions of a service account's pods."""

    cluster: ClusterIdentity
    namespace: str
    service_account: str
    policy: NotRequired[pulumi.Input[Document]]
    """A document from components.eks.policies; none by default."""
    managed_policy_arns: NotRequired[Sequence[str]]
    """AWS managed policies; none by default."""
    oidc_provider_arn: NotRequired[str]
    """IAM's OIDC provider of the cluster, whose tokens the role trusts instead of Pod Identity; empty by default."""


def pod_role(
    name: str, args: PodRoleArgs, child: pulumi.ResourceOptions, *check_accounts: str
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """Returns the role, and the resources that must exist before it has all its permissions.

    `check_accounts` are further service accounts that the role trusts, because their pods prove its permissions.
    """
    cluster = args["cluster"]
    accounts = [args["service_account"], *check_accounts]
    provider = args.get("oidc_provider_arn", "")
    trust = (
        policies.token_trust(provider, args["namespace"], *accounts)
        if provider
        else policies.pod_trust(cluster, args["namespace"], *accounts)
    )
    role = roles.role(
        f"{name}-role",
        cluster,
        args["service_account"],
        f"Pods of {args['namespace']}/{args['service_account']} in the EKS cluster {cluster.name}",
        trust,
        child,
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
    """Name of the cluster; an output if the program creates the cluster, so that the cluster exists first."""
    check_namespace: pulumi.Input[str]
    """The same namespace as an output of the object, so that it exists before the Job."""
    calls: pulumi.Input[Sequence[Call]]
    """Calls to AWS that prove the permissions."""
    target_role_arn: NotRequired[str | None]
    """Role, such as one of another account, that EKS assumes for the pods by this one; none by default."""


class Identity(pulumi.ComponentResource):
    """The identity of a service account. `ready` exists once new pods get it. Needs the providers aws and kubernetes.

    A new association takes seconds to reach EKS' servers. A pod that is admitted earlier never gets credentials, and
    nothing reports this. A Job therefore starts pods until several have credentials, and workloads wait for the Job.
    Its pods get credentials from the node's agent, and make one signed call for each permission: they prove the agent,
    the association, the role's trust, its permissions, and the way to AWS with name resolution.

    The service account belongs to its workload, which is created after the Job, so the Job has its own account, which
    the role trusts as well. The Job's association is created last, so once its pods get credentials, EKS also knows the
    workload's association.
    """

    role_arn: pulumi.Output[str]
    association_id: pulumi.Output[str]
    """Value of ANNOTATION for the workload's pods: the role instead, if it trusts an OIDC provider."""
    account_annotations: Mapping[str, pulumi.Output[str]]
    """Annotations of the workload's service account."""
    ready: pulumi.Resource
    """The resource that the workload must depend on."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Identity", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        check = f"{args['service_account']}-identity"
        role, rights = pod_role(name, args, child, check)
        self.role_arn = role.arn
        if args.get("oidc_provider_arn"):
            # The role's name in the service account is all that EKS needs, so a pod has its identity from the start.
            self.association_id = proof = role.arn
            self.account_annotations = {_ROLE: role.arn}
        else:
            self.association_id, proof = self._associations(name, args, role, rights)
            self.account_annotations = {}
        metadata: ObjectMetaArgsDict = {
            "name": check,
            "namespace": args["check_namespace"],
            "labels": labels(check),
        }
        programs = {file.name: file.read_text() for file in _PROGRAMS}
        calls = pulumi.Output.json_dumps(args["calls"])
        needed: list[pulumi.Resource] = [
            pod_identity.service_account(
                f"{name}-check-account", check, args["check_namespace"], self.account_annotations, child
            ),
            k8s.core.v1.ConfigMap(f"{name}-check-program", metadata=metadata, data=programs, opts=child),
            network_policies.app_network(
                f"{name}-check-network",
                {
                    "app": check,
                    "namespace": args["check_namespace"],
                    # AWS' endpoints have no fixed addresses.
                    "egress": [pod_identity.egress(), {"ports": network_policies.tcp(443)}],
                },
                child,
            ),
        ]
        self.ready = k8s.batch.v1.Job(
            f"{name}-check",
            metadata=metadata,
            spec={
                "completions": _PROOFS,
                "parallelism": 1,
                # A pod cannot retry: it has an identity from the start, or never.
                "backoff_limit": 12,
                "active_deadline_seconds": _DEADLINE_SECONDS,
                # No ttlSecondsAfterFinished: each `pulumi up` would recreate a Job that deletes itself.
                "template": {
                    "metadata": {
                        "labels": labels(check, versions.PYTHON),
                        # A Job's template is immutable: a new association replaces the Job, which is created after it.
                        "annotations": {
                            ANNOTATION: proof,
                            checksum.ANNOTATION: checksum.checksum("".join(programs.values()), salt=name),
                        },
                    },
                    "spec": _pod(check, calls),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*needed, *rights],
                custom_timeouts=pulumi.CustomTimeouts(create="10m"),
            ),
        )
        self.register_outputs({"role_arn": self.role_arn, "association_id": self.association_id})

    def _associations(
        self, name: str, args: IdentityArgs, role: aws.iam.Role, rights: Sequence[pulumi.Resource]
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """The ids of the workload's association, and of both that the Job has."""

        def association(purpose: str, account: str, after: Sequence[pulumi.Resource]) -> aws.eks.PodIdentityAssociation:
            return aws.eks.PodIdentityAssociation(
                f"{name}-{purpose}",
                cluster_name=args["cluster_name"],
                # Literal names: neither object has to exist, and replacing the namespace must not replace the identity.
                namespace=args["namespace"],
                service_account=account,
                role_arn=role.arn,
                target_role_arn=args.get("target_role_arn"),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
            )

        own = association("association", args["service_account"], rights)
        checked = association("check-association", f"{args['service_account']}-identity", [own])
        return own.association_id, pulumi.Output.format("{0} {1}", own.association_id, checked.association_id)


def _pod(check: str, calls: pulumi.Output[str]) -> PodSpecArgsDict:
    program: ContainerArgsDict = {
        "name": "prove",
        # As a module of the mounted folder, so that the programs find each other.
        "command": ["python3", "-m", f"{_MOUNT[1:]}.prove"],
        "working_dir": "/",
        "env": [{"name": "CALLS", "value": calls}],
    }
    return {
        # EKS adds the identity's own token, so no other is mounted.
        "service_account_name": check,
        **pods.program_pod(program, volume="program", folder=_MOUNT, config_map=check),
    }
