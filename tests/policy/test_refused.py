"""What no stack may deploy, generated: each family has more than thirty variants, and each variant is refused.

Beside each family stands what is like it and fine, so that a rule that refuses everything fails here, too.
"""

import json
from itertools import product
from typing import Any

import pytest

from policy.resource import Resource
from policy.rules import found
from tests.policy.judged import aws, deployment, kubernetes

RBAC = "rbac.authorization.k8s.io/v1"
ACCOUNTS = ("999999999999", "000000000000", "123456789012")


def role(*, inline: Any = None, trust: Any = None, **props: Any) -> Resource:
    document = {"Version": "2012-10-17", "Statement": [trust or {"Effect": "Allow", "Principal": {"Service": "x"}}]}
    more = {"inlinePolicies": [{"name": "a", "policy": json.dumps({"Statement": [inline]})}]} if inline else {}
    return aws("iam/role:Role", {"assumeRolePolicy": json.dumps(document), **more, **props})


def cluster_role(resource: str, verb: str, **more: Any) -> Resource:
    rule = {"apiGroups": [""], "resources": [resource], "verbs": [verb], **more}
    return kubernetes(f"{RBAC}:ClusterRole", {"rules": [rule]})


def binding(kind: str, name: str, subject: dict[str, Any]) -> Resource:
    return kubernetes(f"{RBAC}:{kind}", {"roleRef": {"kind": "ClusterRole", "name": name}, "subjects": [subject]})


def access(policy: str, scope: str) -> Resource:
    arn = f"arn:aws:eks::aws:cluster-access-policy/{policy}"
    return aws(
        "eks/accessPolicyAssociation:AccessPolicyAssociation", {"policyArn": arn, "accessScope": {"type": scope}}
    )


def group_rule(cidr: str) -> Resource:
    key = "cidrIpv6" if ":" in cidr else "cidrIpv4"
    return aws("vpc/securityGroupIngressRule:SecurityGroupIngressRule", {key: cidr})


def page(cidrs: str | None, auth: str | None, scheme: str = "internet-facing") -> Resource:
    alb = "alb.ingress.kubernetes.io/"
    annotations = {
        f"{alb}certificate-arn": "c",
        f"{alb}ssl-policy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        f"{alb}listen-ports": '[{"HTTPS": 443}]',
        f"{alb}scheme": scheme,
        f"{alb}inbound-cidrs": cidrs,
        f"{alb}auth-type": auth,
    }
    given = {key: value for key, value in annotations.items() if value}
    return kubernetes("networking.k8s.io/v1:Ingress", {"metadata": {"annotations": given}})


def domain(security: Any) -> Resource:
    props = {
        "vpcOptions": {"subnetIds": ["s"]},
        "encryptAtRest": {"enabled": True, "kmsKeyId": "k"},
        "nodeToNodeEncryption": {"enabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        "advancedSecurityOptions": security,
    }
    return aws("opensearch/domain:Domain", props, protect=True)


def service(kind: str, annotations: dict[str, str], **spec: Any) -> Resource:
    return kubernetes("core/v1:Service", {"metadata": {"annotations": annotations}, "spec": {"type": kind, **spec}})


SUBJECTS = [{"kind": "ServiceAccount", "name": name} for name in ("loki", "a", "default")]
SUBJECTS += [{"kind": kind, "name": "somebody"} for kind in ("User", "Group")]
EXEC = ("pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token")
CHANGED = ("clusterroles", "clusterrolebindings", "roles", "rolebindings", "nodes/proxy", "services/proxy")
CHANGED += ("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "certificatesigningrequests/approval")
IMAGES = ("alpine", "docker.io/library/python", "registry:5000/app", "quay.io/a/b/c")
TAGS = ("", ":latest", ":3", ":3.20", ":v2", ":stable", ":main-2", ":1-slim")
PAGES = (None, "0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/8,0.0.0.0/0", "128.0.0.0/2, 10.0.0.0/8", "::/0", "2000::/3")
OPEN = [f"{first}.0.0.0/{bits}" for first, bits in product((0, 64, 128, 192), (1, 2, 3, 4, 5, 6, 7))]
OPEN += ["0.0.0.0/0", "::/0", "::/1", "2000::/3", "2600::/12", "8000::/1"]
ROLES = ("Loki", "Prometheus", "a/b")
FULL = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "AmazonS3FullAccess", "AmazonEC2FullAccess")
SERVICES = ("s3", "iam", "kms", "ec2", "sts", "eks", "es", "aps", "xray", "logs", "secretsmanager")
FAMILIES: dict[str, list[Resource]] = {
    "bound to everything": [
        binding(kind, name, subject)
        for kind, name, subject in product(
            ("ClusterRoleBinding", "RoleBinding"), ("cluster-admin", "admin", "edit"), SUBJECTS
        )
    ],
    "bound to everybody": [
        binding(kind, name, {"kind": "Group", "name": group})
        for kind, name, group in product(
            ("ClusterRoleBinding", "RoleBinding"),
            ("view", "reader", "loki", "a"),
            ("system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"),
        )
    ],
    "rights of others": [
        *(cluster_role("secrets", verb) for verb in ("get", "list", "watch")),
        *(cluster_role(resource, "create") for resource in EXEC),
        *(cluster_role(resource, verb) for resource, verb in product(CHANGED, ("create", "patch", "update"))),
    ],
    "moving tags": [deployment({"image": f"{image}{tag}"}) for image, tag in product(IMAGES, TAGS)],
    "pages without login": [page(cidrs, auth) for cidrs, auth in product(PAGES, (None, "none", "", "None", "basic"))],
    "foreign accounts": [
        role(trust={"Effect": "Allow", "Principal": {"AWS": member}, "Action": "sts:AssumeRole"})
        for account, name in product(ACCOUNTS, ("root", "user/x", "role/x", "role/a/b"))
        for member in (
            f"arn:aws:iam::{account}:{name}",
            [f"arn:aws:iam::{account}:{name}"],
            [account, f"arn:aws-cn:iam::{account}:{name}"],
        )
    ],
    "inline rights": [
        role(inline={"Effect": "Allow", "Action": action, "Resource": resource})
        for service, resource in product(SERVICES, ("*", "arn:aws:s3:::*", "arn:aws:s3:::logs/*"))
        for action in (f"{service}:*",)
    ],
    "whole services": [
        *(
            role(managedPolicyArns=[f"arn:{part}:iam::aws:policy/{one}"])
            for part, one in product(("aws", "aws-cn", "aws-us-gov"), FULL)
        ),
        *(
            aws(
                "iam/rolePolicyAttachment:RolePolicyAttachment",
                {"role": name, "policyArn": f"arn:aws:iam::aws:policy/{one}"},
            )
            for name, one in product(ROLES, FULL)
        ),
        *(
            role(managedPolicyArns=["arn:aws:iam::aws:policy/job-function/Billing", f"arn:aws:iam::aws:policy/{one}"])
            for one in FULL
        ),
    ],
    "administrators of the cluster": [
        aws(
            "eks/accessPolicyAssociation:AccessPolicyAssociation",
            {
                "policyArn": f"arn:{part}:eks::aws:cluster-access-policy/{policy}",
                "principalArn": f"arn:aws:iam::{account}:role/x",
                "accessScope": {"type": "cluster"},
            },
        )
        for part, policy, account in product(
            ("aws", "aws-cn", "aws-us-gov"),
            ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy"),
            (*ACCOUNTS, "111122223333"),
        )
    ],
    "open to half the internet": [group_rule(cidr) for cidr in OPEN],
    "domains without users": [
        domain(security)
        for enabled, database, more in product(
            (False, None, "false", 0), (True, False, None), ({}, {"anonymousAuthEnabled": True}, {"x": 1})
        )
        for security in ({"enabled": enabled, "internalUserDatabaseEnabled": database, **more},)
    ],
    "public services": [
        service(kind, annotations, **spec)
        for kind, annotations, spec in product(
            ("LoadBalancer", "NodePort"),
            (
                {},
                {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"},
                {"service.beta.kubernetes.io/aws-load-balancer-internal": "false"},
                {"service.beta.kubernetes.io/aws-load-balancer-type": "external"},
            ),
            (
                {},
                {"ports": [{"port": 443}]},
                {"externalTrafficPolicy": "Local"},
                {"loadBalancerClass": "eks.amazonaws.com/nlb"},
            ),
        )
    ],
}
FINE: dict[str, Resource] = {
    "a role of ours": binding("ClusterRoleBinding", "prometheus", SUBJECTS[0]),
    "one Secret": cluster_role("secrets", "get", resourceNames=["oidc-client"]),
    "reading pods": cluster_role("pods", "list"),
    "a release": deployment({"image": "docker.io/library/python:3.13.9-slim"}),
    "a page with login": page("0.0.0.0/0", "oidc"),
    "a page for some": page("203.0.113.0/24", None),
    "an internal page": page("0.0.0.0/0", None, "internal"),
    "a role of a service": role(),
    "views of the cluster": access("AmazonEKSAdminViewPolicy", "cluster"),
    "a namespace's administrator": access("AmazonEKSAdminPolicy", "namespace"),
    "the company's network": group_rule("10.0.0.0/8"),
    "a provider's network": group_rule("52.0.0.0/11"),
    "an internal network of IPv6": group_rule("fd00::/8"),
    "a domain with users": domain({"enabled": True, "internalUserDatabaseEnabled": True}),
    "an internal load balancer": service(
        "LoadBalancer", {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_variant_is_refused(family: str) -> None:
    variants = FAMILIES[family]
    assert len(variants) >= 30
    passed = [dict(one.props) for one in variants if not list(found([one]))]
    assert passed == []


@pytest.mark.parametrize("name", FINE)
def test_what_is_like_it_is_not(name: str) -> None:
    assert [str(violation) for violation in found([FINE[name]])] == []
