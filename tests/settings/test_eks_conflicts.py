"""Settings of a stack on EKS that have no effect or no meaning, alone or beside others, are refused."""

import pytest

from settings.stack import SettingsError
from tests.settings.test_eks_values import problems, values


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
        ({"volumeIops": "2999"}, "volumeIops"),
        ({"volumeIops": "80001"}, "volumeIops"),
        ({"volumeThroughput": "124"}, "volumeThroughput"),
        ({"volumeThroughput": "2001"}, "volumeThroughput"),
        ({"volumeThroughput": "500", "storageClass": "fast"}, "volumeThroughput"),
        ({"volumeIops": "3000", "storageClass": "fast"}, "volumeIops"),
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


def refused(key: str, **changes: str) -> bool:
    try:
        values(**changes)
    except SettingsError as error:
        (line,) = error.problems
        assert line.startswith(f"observability:{key}: {changes[key]} is not allowed; allowed: 0 (AWS' baseline")
        return True
    return False


SMALL = {"prometheusStorage": "9Gi", "collectorStorage": "9Gi", "grafanaStorage": "9Gi", "jaegerStorage": "9Gi"}


def test_iops_are_limited_by_the_smallest_volume() -> None:
    sizes = SMALL | {"alertmanagerStorage": "8Gi"}
    assert not refused("volumeIops", volumeIops="4000", **sizes)
    assert refused("volumeIops", volumeIops="4001", **sizes)
    # A part of a GiB is a whole one for EBS.
    assert not refused("volumeIops", volumeIops="4500", **sizes | {"alertmanagerStorage": "8.1Gi"})
    # Volumes of every size have the baseline.
    assert not refused("volumeIops", volumeIops="3000", alertmanagerStorage="1Gi")


def test_throughput_is_limited_by_iops() -> None:
    assert not refused("volumeThroughput", volumeThroughput="750")
    assert refused("volumeThroughput", volumeThroughput="751")
    sizes = SMALL | {"alertmanagerStorage": "8Gi"}
    assert not refused("volumeThroughput", volumeThroughput="1000", volumeIops="4000", **sizes)
    assert refused("volumeThroughput", volumeThroughput="1001", volumeIops="4000", **sizes)
