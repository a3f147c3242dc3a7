# ruff: noqa: E501  (a case of a table stays on its line)
"""Settings of a stack on EKS: each wrong or conflicting setting is one clear line."""

import json
from pathlib import Path

import pytest
import yaml

from settings import checks, versions
from settings import stack as settings
from settings.values import Values
from tests.mock_engine import ROOT, SECRETS, stack_config

KEY = "arn:aws:kms:{}:{}:key/11111111-2222-3333-4444-555555555555"
AMP = "https://aps-workspaces.{}.amazonaws.com{}"
OIDC = "an https URL without login, query and fragment; required when ingress is not none, and only then"
CIDRS = "a list of address ranges such as 10.0.0.0/16"
# These keys describe one environment: what it monitors, its exceptions, and what already exists there. The other stack
# need not set them.
OF_ONE_ENVIRONMENT = {
    "alertOverrides",
    "awsNamePrefix",
    "awsProfile",
    "awsRoleArn",
    "certificateArn",
    "certificateZoneId",
    "disruptionBudgets",
    "hostedZoneRoleArn",
    "ingressClass",
    "kmsKeyArn",
    "kubeContext",
    "lokiBucketKeyArn",
    "kubeconfig",
    "serviceNamespaces",
}


def problems(stack: str = "staging", *, stack_name: str = "", **changes: str) -> tuple[str, ...]:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config(stack) | SECRETS | changes, list(SECRETS), stack=stack_name)
    assert "nothing was changed" in str(error.value)
    return error.value.problems


def values(stack: str = "staging", **changes: str) -> Values:
    return settings.parse(stack_config(stack) | SECRETS | changes, list(SECRETS)).values


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("owner", "", '"" is not allowed; allowed: the owner of the stack, such as team-platform; up to 128 letters, digits, blanks and any of _.:/=+-@; required when cloud is eks'),
        ("awsAccountId", "", '"" is not allowed; allowed: the 12 digits of an AWS account; required when cloud is eks'),
        ("awsAccountId", "1234", '"1234" is not allowed; allowed: the 12 digits of an AWS account; required when cloud is eks'),
        ("domain", "", '"" is not allowed; allowed: a domain of at most 57 characters such as staging.example.com; required when ingress is not none'),
        ("hostedZoneId", "", '"" is not allowed; allowed: a Route 53 hosted zone\'s id such as Z0123456789ABCDEFGHIJ; required when ingress is not none, and only then'),
        ("oidcTokenEndpoint", "", f'"" is not allowed; allowed: {OIDC}'),
        ("oidcIssuer", "http://login.example.com", f'"http://login.example.com" is not allowed; allowed: {OIDC}'),
        ("ingressAllowedCidrs", "[]", f"[] is not allowed; allowed: {CIDRS}; at least one when ingress is not none, and only then"),
        ("certificateArn", "arn:aws:acm:us-east-1:111122223333:certificate/1", '"arn:aws:acm:us-east-1:111122223333:certificate/1" is not allowed; allowed: the ARN of a certificate in awsRegion and awsAccountId; only when ingress is not none'),
        ("kmsKeyArn", KEY.format("us-east-1", "111122223333"), f'"{KEY.format("us-east-1", "111122223333")}" is not allowed; allowed: the ARN of a key (no alias) in awsRegion and awsAccountId'),
        ("kmsKeyArn", KEY.format("eu-central-1", "999999999999"), f'"{KEY.format("eu-central-1", "999999999999")}" is not allowed; allowed: the ARN of a key (no alias) in awsRegion and awsAccountId'),
        ("remoteWriteUrl", AMP.format("eu-central-1", ""), f'"{AMP.format("eu-central-1", "")}" is not allowed; allowed: an https URL without login, query and fragment; http only for a host inside the cluster (ends in .svc); on AWS, a workspace, ending in /workspaces/WORKSPACE/api/v1/remote_write, when cloud is eks'),
        ("managedPrometheusRetention", "1096d", '"1096d" is not allowed; allowed: whole days, from 1d to 1095d'),
        ("remoteWriteUrl", AMP.format("us-east-1", "/workspaces/ws-1/api/v1/write"), f'"{AMP.format("us-east-1", "/workspaces/ws-1/api/v1/write")}" is not allowed; allowed: an https URL without login, query and fragment; http only for a host inside the cluster (ends in .svc); on AWS, a workspace, ending in /workspaces/WORKSPACE/api/v1/remote_write, when cloud is eks'),
        ("opensearchDomain", "true", "true is not allowed; allowed: true or false; true only when jaegerStorageBackend is opensearch or logIndex is true, and opensearchUrl is not set"),
        ("clusterSubnetIds", '["subnet-0123456789abcdef0"]', '["subnet-0123456789abcdef0"] is not allowed; allowed: a list of subnets\' ids; at least two when cluster is create or opensearchDomain is true, and only then'),
        ("lokiRulerBucket", "observability-staging-logs", '"observability-staging-logs" is not allowed; allowed: an S3 bucket\'s name, other than lokiBucket; only when lokiBucket is made by the program'),
        ("eksAddons", '{"metric-server": "managed"}', "metric-server: no such add-on; did you mean metrics-server?"),
        (
            "eksAddons",
            '{"aws-ebs-csi-driver": "off"}',
            "aws-ebs-csi-driver: 'off' is not allowed; allowed: managed or existing while storageClass is not set, "
            "because nothing else serves the class that the program makes",
        ),
        ("kubeStateMetrics", "maybe", '"maybe" is not allowed; allowed: true or false'),
        ("grafanaAdminGroup", "a'b", "\"a'b\" is not allowed; allowed: a group's name, as the login's claim `groups` has it, without quotes and any of \\#;$; only when ingress is not none"),
    ],
)  # fmt: skip
def test_names_key_value_and_what_is_allowed(key: str, value: str, problem: str) -> None:
    found = [line for line in problems(**{key: value}) if line.startswith(f"observability:{key}")]
    separator = "." if key == "eksAddons" else ": "
    assert found == [f"observability:{key}{separator}{problem}"]


def test_a_wrong_address_range_is_named_with_its_index() -> None:
    (line,) = problems(loadBalancerCidrs='["10.0.0.0/33"]')
    assert line.startswith(
        'observability:loadBalancerCidrs[0]: "10.0.0.0/33" is not allowed; allowed: a list of address'
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("owner", "team"),
        ("awsAccountId", "111122223333"),
        ("offlinePreview", "true"),
        ("cluster", "create"),
        ("managedPrometheus", "true"),
        ("manageLokiBucket", "false"),
        ("eksAddons", '{"metrics-server": "managed"}'),
    ],
)
def test_keys_of_eks_are_refused_on_other_clouds(key: str, value: str) -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("local") | {key: value}, [])
    first, *_ = error.value.problems
    assert first.startswith(f"observability:{key}: ")
    assert first.endswith("; only when cloud is eks")


def test_creating_a_cluster_requires_its_subnets_admins_and_auto_mode() -> None:
    found = problems(cluster="create", kubeContext="staging")
    assert [line.split(": ")[0] for line in found] == [
        "observability:clusterApiCidrs",
        "observability:clusterSubnetIds",
        "observability:clusterAdminRoleArns",
        "observability:eksAutoMode",
        "observability:kubeContext",
    ]


def test_a_load_balancer_can_be_adapted() -> None:
    acl = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/pages/a1"
    adapted = values(
        ingressAnnotations=f'{{"alb.ingress.kubernetes.io/wafv2-acl-arn": "{acl}"}}',
        loadBalancerAttributes='{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs-of-pages"}',
    )
    assert list(adapted.ingress_annotations.values()) == [acl]
    assert len(adapted.load_balancer_attributes) == 2


def test_a_cluster_to_create_with_all_its_settings_is_valid() -> None:
    created = values(
        cluster="create",
        clusterApiSecurityGroupIds='["sg-0a1b2c3d4e5f60001"]',
        clusterSubnetIds='["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]',
        clusterAdminRoleArns='["arn:aws:iam::111122223333:role/deploy"]',
        eksAutoMode="true",
    )
    assert created.cluster == "create"


def test_the_default_version_is_the_newest_that_was_tried() -> None:
    major, below = versions.KUBERNETES_BELOW
    assert values().cluster_version == f"{major}.{below - 1}"


def test_remote_write_has_one_target() -> None:
    url = "https://metrics.example.com/api/v1/write"
    (line,) = problems(managedPrometheus="true", remoteWriteUrl=url)
    assert line == (
        "observability:managedPrometheus: true is not allowed; allowed: true or false; true only without remoteWriteUrl, "
        "which is the workspace's URL"
    )


@pytest.mark.parametrize(
    ("switch", "addon"), [("kubeStateMetrics", "kube-state-metrics"), ("nodeExporter", "prometheus-node-exporter")]
)
def test_an_exporter_is_refused_beside_its_add_on(switch: str, addon: str) -> None:
    assert problems(eksAddons=json.dumps({addon: "managed"})) == (
        f"observability:{switch}: true is not allowed; allowed: true or false; only one of this and the add-on {addon} "
        "in eksAddons",
    )
    assert values(eksAddons=json.dumps({addon: "existing"}), **{switch: "false"}).eks_addons


def test_an_ingress_requires_the_client_secret_of_its_login() -> None:
    config = {key: text for key, text in (stack_config("staging") | SECRETS).items() if key != "oidcClientSecret"}
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(config, list(SECRETS))
    assert error.value.problems == (
        "observability:oidcClientSecret: required, but not set; needed by ingress; set it with: pulumi config set "
        "--secret oidcClientSecret",
    )


@pytest.mark.parametrize("password", ["Hush-hush-hush", "hush-1", "HUSHHUSH1"])
def test_a_password_that_opensearch_would_refuse_is_reported_with_all_other_problems(password: str) -> None:
    config = stack_config("production") | SECRETS | {"owner": "", "opensearchPassword": password}
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(config, [*SECRETS, "opensearchPassword"])
    owner, found = error.value.problems
    assert owner.startswith('observability:owner: "" is not allowed')
    assert found.startswith("observability:opensearchPassword: the value (a secret, not shown) lacks ")
    assert found.endswith(
        "; allowed: at least 8 characters, among them a lower and an upper case letter, a digit and another character"
    )
    assert password not in found


def test_a_domain_of_the_program_deletes_its_old_indices() -> None:
    config = stack_config("production") | SECRETS | {"opensearchPolicies": "false"}
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(config, [*SECRETS])
    wanted = "opensearchPolicies: false is not allowed; allowed: true or false; true when opensearchDomain is true"
    assert wanted in str(error.value)


def test_the_password_of_an_existing_opensearch_is_not_checked() -> None:
    where = {"opensearchDomain": "false", "opensearchUrl": "https://search.example.com", "clusterSubnetIds": "[]"}
    config = stack_config("production") | SECRETS | where | {"opensearchPassword": "x"}
    assert settings.parse(config, [*SECRETS, "opensearchPassword"]).values.opensearch


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "alb"), ({"ingressClass": "internal"}, "internal"), ({"eksAutoMode": "true"}, "")],
)
def test_an_ingress_class_must_exist_if_the_program_creates_none(changes: dict[str, str], expected: str) -> None:
    assert values(**changes).existing_ingress_class == expected
    assert Values.model_construct(ingress="none", eks_auto_mode=False).existing_ingress_class == ""


def test_addresses_follow_from_the_domain_unless_set() -> None:
    chosen = values(jaegerUrl="https://traces.example.org")
    assert chosen.prometheus_url == "https://prometheus.staging.example.com"
    assert chosen.jaeger_url == "https://traces.example.org"
    assert chosen.hosts["grafana"] == "grafana.staging.example.com"


def test_two_stacks_share_no_bucket() -> None:
    (line,) = problems("staging", stack_name="staging", lokiBucket="observability-production-logs")
    assert line == (
        'observability:lokiBucket: "observability-production-logs" is not allowed; allowed: a bucket of this stack only; '
        "Pulumi.production.yaml uses it as lokiBucket"
    )


def test_a_bucket_on_another_server_is_another_bucket(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.other.yaml").write_text(
        yaml.safe_dump(
            {
                "config": {
                    "observability:lokiBucket": "observability-staging-logs",
                    "observability:lokiS3Endpoint": "https://s3.example.com",
                }
            }
        )
    )
    (tmp_path / "Pulumi.broken.yaml").write_text("a: [")
    assert list(checks.bucket_problems(values(), "staging", tmp_path)) == []


def decided(stack: str) -> set[str]:
    """Keys that the stack's file sets, without those that describe only this environment."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("observability:") for key in config} - OF_ONE_ENVIRONMENT


def test_staging_and_production_set_the_same_keys() -> None:
    """Otherwise a default would decide silently, and production could run a configuration that staging never ran."""
    assert decided("staging") == decided("production")


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_an_offline_preview_needs_no_secret(stack: str) -> None:
    loaded = settings.parse(stack_config(stack) | {"offlinePreview": "true"}, [], stack=stack)
    assert loaded.secrets["platformSlackUrl"].get_secret_value() == "https://offline.invalid/platformSlackUrl"
    assert not loaded.has_cluster
