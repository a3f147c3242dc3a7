"""Settings of a stack on EKS that have no effect or no meaning, alone or beside others, are refused."""

import pytest

from tests.settings.test_eks_values import problems


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"clusterApiCidrs": '["10.0.0.0/8"]'}, "clusterApiCidrs"),
        ({"clusterPublicAccessCidrs": '["10.0.0.0/8"]'}, "clusterPublicAccessCidrs"),
        ({"clusterApiSecurityGroupIds": '["sg-0a1b2c3d"]'}, "clusterApiSecurityGroupIds"),
        ({"opensearchClientCidrs": '["10.0.0.0/8"]'}, "opensearchClientCidrs"),
        ({"opensearchMasterType": "m7g.large.search"}, "opensearchMasterType"),
        ({"opensearchClientSecurityGroupIds": '["sg-0a1b2c3d"]'}, "opensearchClientSecurityGroupIds"),
        ({"ingressAnnotations": '{"alb.ingress.kubernetes.io/scheme": "internet-facing"}'}, "ingressAnnotations"),
        ({"ingressAnnotations": '{"alb.ingress.kubernetes.io/auth-type": "none"}'}, "ingressAnnotations"),
        ({"loadBalancerAttributes": '{"deletion_protection.enabled": "false"}'}, "loadBalancerAttributes"),
        ({"loadBalancerAttributes": '{"idle_timeout.timeout_seconds": "1,a=b"}'}, "loadBalancerAttributes"),
        ({"loadBalancerAttributes": '{"idle timeout": "1"}'}, "loadBalancerAttributes"),
        ({"proxyUrl": "http://proxy.example.com:3128"}, "proxyUrl"),
        ({"proxyUrl": "http://user:word@proxy.example.com:3128", "podCidrs": '["10.0.0.0/16"]'}, "proxyUrl"),
        (
            {"oidcProviderArn": "arn:aws:iam::999999999999:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/AB1"},
            "oidcProviderArn",
        ),
        ({"noProxy": '["example.com"]'}, "noProxy"),
        ({"caBundle": "certificate"}, "caBundle"),
        ({"ingressPages": "[]"}, "ingressPages"),
        ({"ingressPages": '["grafana"]', "grafana": "false", "grafanaApiUrl": "https://g.example.com"}, "ingressPages"),
        (
            {"certificateZoneId": "Z1", "certificateArn": "arn:aws:acm:eu-central-1:111122223333:certificate/1"},
            "certificateZoneId",
        ),
        ({"certificateZoneId": "example.com"}, "certificateZoneId"),
        ({"hostedZoneRoleArn": "arn:aws:iam::999999999999:user/x"}, "hostedZoneRoleArn"),
        ({"remoteWriteRoleArn": "arn:aws:iam::999999999999:role/x"}, "remoteWriteRoleArn"),
        ({"awsRoleArn": "arn:aws:iam::999999999999:role/x"}, "awsRoleArn"),
        ({"extraTags": '{"owner": "x"}'}, "extraTags"),
        ({"extraTags": '{"a": "b,c"}'}, "extraTags"),
        ({"extraTags": '{"aws:a": "b"}'}, "extraTags"),
        ({"rolePath": "platform"}, "rolePath"),
        ({"permissionsBoundaryArn": "boundary"}, "permissionsBoundaryArn"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused(changes: dict[str, str], key: str) -> None:
    (line,) = problems(**changes)
    assert line.startswith(f"observability:{key}")


@pytest.mark.parametrize("key", ["certificateZoneId", "hostedZoneRoleArn"])
def test_what_only_a_load_balancer_uses_is_refused_without_one(key: str) -> None:
    value = {"certificateZoneId": "Z1", "hostedZoneRoleArn": "arn:aws:iam::999999999999:role/dns"}[key]
    found = [line for line in problems(ingress="none", **{key: value}) if line.startswith(f"observability:{key}")]
    assert len(found) == 1
    assert found[0].endswith("when ingress is not none")
