"""The whole program on EKS, on the mock engine: what stands on what, and what people are told."""

import json
from collections.abc import Callable

import pytest

from components.eks.login import redirects
from tests.eks.account import values_of
from tests.mock_engine import Recorded, Registration

Program = Callable[..., Recorded]
KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
CREATE = {
    "cluster": "create",
    "clusterApiCidrs": '["10.0.0.0/8"]',
    "clusterSubnetIds": '["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]',
    "clusterAdminRoleArns": '["arn:aws:iam::111122223333:role/deploy"]',
    "eksAutoMode": "true",
}
ROLE, BOUNDARY = "arn:aws:iam::111122223333:role/deploy", "arn:aws:iam::111122223333:policy/boundary"
# A run of the program is dear, so settings that have nothing to do with each other share one.
FEW = {"storageClass": "fast", "ingressPages": '["grafana"]', "grafanaViewerGroup": "viewers"}
ORGANIZATION = {
    "awsRoleArn": ROLE,
    "extraTags": '{"cost-centre": "4711"}',
    "rolePath": "/platform/",
    "permissionsBoundaryArn": BOUNDARY,
    "kmsKeyArn": KEY,
    "manageLokiBucket": "false",
    "eksAddons": '{"kube-state-metrics": "managed", "prometheus-node-exporter": "existing"}',
    "kubeStateMetrics": "false",
    "nodeExporter": "false",
}


@pytest.fixture
def staging(program: Program) -> Recorded:
    return program("staging")


@pytest.fixture
def production(program: Program) -> Recorded:
    return program("production")


def named(recorded: Recorded, name: str) -> Registration:
    (found,) = [one for one in recorded.resources if one.name == name]
    return found


def below(recorded: Recorded, name: str) -> set[str]:
    """Everything that a resource depends on, directly or not."""
    by_name = {one.name: one for one in recorded.resources}
    found: set[str] = set()
    open_ends = [name]
    while open_ends:
        one = by_name.get(open_ends.pop())
        new = set(one.dependencies if one else ()) - found
        found |= new
        open_ends += new
    return found


def test_the_provider_knows_region_account_and_tags(staging: Recorded) -> None:
    provider = named(staging, "aws").inputs
    assert provider["region"] == "eu-central-1"
    assert json.loads(provider["allowedAccountIds"]) == ["111122223333"]
    assert json.loads(provider["defaultTags"]) == {
        "tags": {"owner": "team-observability", "stack": "staging", "managed-by": "pulumi"}
    }
    assert not {"accessKey", "assumeRoles"} & provider.keys()


def test_one_login_serves_several_accounts_with_the_tags_of_each(program: Program) -> None:
    recorded = program("staging", **ORGANIZATION)
    provider = named(recorded, "aws").inputs
    assert json.loads(provider["assumeRoles"]) == [{"roleArn": ROLE, "sessionName": "pulumi"}]
    assert json.loads(provider["defaultTags"])["tags"]["cost-centre"] == "4711"
    kubeconfig = json.loads(named(recorded, "cluster").inputs["kubeconfig"])
    assert kubeconfig["users"][0]["user"]["exec"]["args"][-2:] == ["--role-arn", ROLE]
    assert ROLE in recorded.exports["aws"]["cluster"]["open"]
    volumes = named(recorded, "volumes-storage-class").inputs["parameters"]
    assert "cost-centre=4711" in volumes.values()
    for ingress in recorded.of("Ingress"):
        if ingress.custom:
            annotations = ingress.inputs["metadata"]["annotations"]
            assert "cost-centre=4711" in annotations["alb.ingress.kubernetes.io/tags"]


def test_every_role_has_the_organization_s_path_and_boundary(program: Program) -> None:
    recorded = program("staging", **ORGANIZATION)
    roles = [one for one in recorded.of("Role") if one.type.startswith("aws:")]
    assert roles
    assert {(one.inputs["path"], one.inputs["permissionsBoundary"]) for one in roles} == {("/platform/", BOUNDARY)}


def test_names_stay_when_another_cluster_takes_over(program: Program, production: Recorded) -> None:
    def names(recorded: Recorded) -> list[str]:
        kinds = {"Alias": "name", "Workspace": "alias", "Domain": "domainName", "SecurityGroup": "name"}
        return [one.inputs[field] for kind, field in kinds.items() for one in recorded.of(kind)]

    assert len(names(production)) == 4
    green = program("production", awsNamePrefix="observability-production", clusterName="green")
    assert names(green) == names(production)


@pytest.mark.parametrize(
    ("workload", "account"),
    [
        ("loki-statefulset", "loki"),
        ("gateway-statefulset", "otel-gateway"),
        ("workspace-proxy-deployment", "workspace-proxy"),
    ],
)
def test_workloads_wait_for_their_identity_and_restart_with_it(
    production: Recorded, workload: str, account: str
) -> None:
    known = below(production, workload)
    assert f"{account}-identity-check" in known
    assert f"{account}-identity-association" in known
    annotations = named(production, workload).inputs["spec"]["template"]["metadata"]["annotations"]
    assert annotations["observability/pod-identity"] == f"a-{account}"


MANAGED = {"eksAddons": '{"eks-pod-identity-agent": "managed", "aws-ebs-csi-driver": "managed"}'}


def test_identities_are_proved_once_there_is_an_agent_that_gives_them(program: Program) -> None:
    assert "addons-eks-pod-identity-agent" in below(program("staging", **MANAGED), "loki-identity-check")


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_add_ons_of_an_existing_cluster_are_not_owned(program: Program, stack: str) -> None:
    assert program(stack).of("Addon") == []


def test_a_class_of_the_program_has_a_name_of_its_own(program: Program) -> None:
    (parameters,) = program("staging", eksAutoMode="true").of("IngressClassParams")
    assert parameters.object_name == "observability-alb"


def test_loki_waits_for_its_bucket_and_may_use_it_only(staging: Recorded) -> None:
    known = below(staging, "loki-statefulset")
    assert {"log-buckets-chunks", "key-key"} <= known
    policy = json.loads(named(staging, "loki-identity-policy").inputs["policy"])
    resources = {arn for statement in policy["Statement"] for arn in statement["Resource"]}
    bucket = "arn:aws:s3:::observability-staging-logs"
    assert resources == {bucket, f"{bucket}/*", "arn:aws:kms:eu-central-1:111122223333:key/key-key"}


def test_volumes_outlive_the_namespace(staging: Recorded) -> None:
    known = below(staging, "platform-namespace")
    assert "volumes-storage-class" in known
    for pod in staging.pods:
        for claim in pod.inputs["spec"].get("volumeClaimTemplates", []):
            assert claim["spec"]["storageClassName"] == "observability-gp3"


def test_a_driver_that_the_program_installs_outlives_the_namespace(program: Program) -> None:
    assert "addons-aws-ebs-csi-driver" in below(program("staging", **MANAGED), "platform-namespace")


def test_volumes_have_the_rates_of_the_settings(program: Program) -> None:
    parameters = named(program("staging", volumeThroughput="500"), "volumes-storage-class").inputs["parameters"]
    assert parameters["throughput"] == "500"
    assert "iops" not in parameters


def test_a_class_that_exists_is_taken(program: Program) -> None:
    recorded = program("staging", **FEW)
    assert recorded.of("StorageClass") == []


def test_content_is_written_when_grafana_can_be_reached(staging: Recorded) -> None:
    assert {"dns-grafana", "ingress-grafana"} <= below(staging, "grafana-api")


def test_only_the_chosen_pages_are_served(program: Program) -> None:
    recorded = program("staging", **FEW)
    assert {one.object_name for one in recorded.of("Ingress") if one.custom} == {"grafana"}
    assert set(recorded.exports["redirects"]) == {"https://grafana.staging.example.com/login/generic_oauth"}
    assert "viewers" in recorded.one("ConfigMap", "grafana-config").inputs["data"]["grafana.ini"]


def test_content_waits_until_a_new_load_balancer_answers(program: Program, staging: Recorded) -> None:
    def seconds(recorded: Recorded) -> int:
        provider = named(recorded, "grafana-api").inputs
        return int(provider["retries"]) * int(provider["retryWait"])

    assert seconds(staging) == 15 * 60
    assert seconds(program("local")) == 60


def test_traces_go_to_the_domain_that_is_made(production: Recorded) -> None:
    assert "https://vpc-search-domain.eu-central-1.es.amazonaws.com" in json.dumps(
        production.one("ConfigMap", "jaeger-config").inputs
    )
    assert "search-domain" in below(production, "jaeger-deployment")


def test_an_add_on_in_place_of_an_exporter_is_asked_by_its_name(program: Program) -> None:
    recorded = program("staging", **ORGANIZATION)
    assert "addons-kube-state-metrics" in {one.name for one in recorded.resources}
    assert "addons-prometheus-node-exporter" not in {one.name for one in recorded.resources}
    assert not {"kube-state-metrics", "node-exporter"} & {pod.object_name for pod in recorded.pods}
    config = recorded.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
    assert "job_name: kube-state-metrics" in config
    assert "job_name: prometheus-node-exporter" in config
    egress = recorded.one("NetworkPolicy", "prometheus").inputs["spec"]["egress"]
    assert {8080, 9100} <= {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}


def test_a_given_key_and_bucket_are_not_made(program: Program) -> None:
    recorded = program("staging", **ORGANIZATION)
    assert recorded.of("Key") == []
    assert recorded.of("Bucket") == []
    policy = json.loads(named(recorded, "loki-identity-policy").inputs["policy"])
    assert "arn:aws:s3:::observability-staging-logs" in policy["Statement"][0]["Resource"]


@pytest.mark.parametrize("preview", [False, True])
def test_a_cluster_is_made_before_anything_in_it(program: Program, preview: bool) -> None:
    recorded = program("staging", preview=preview, **CREATE)
    assert "eks-cluster" in below(recorded, "cluster")
    if not preview:
        kubeconfig = json.loads(named(recorded, "cluster").inputs["kubeconfig"])
        assert kubeconfig["clusters"][0]["cluster"]["server"].endswith(".eks.amazonaws.com")
        assert "eks-cluster" in below(recorded, "loki-identity-association")


def test_a_cluster_that_is_made_enforces_network_policies_before_there_is_a_pod(program: Program) -> None:
    recorded = program("staging", **CREATE)
    switch = named(recorded, "network-enforcement")
    assert switch.inputs["metadata"]["namespace"] == "kube-system"
    assert switch.inputs["metadata"]["name"] == "amazon-vpc-cni"
    assert switch.inputs["data"] == {"enable-network-policy-controller": "true"}
    assert "network-enforcement" in below(recorded, "platform-namespace")


def test_a_cluster_that_is_there_is_not_changed(staging: Recorded) -> None:
    assert "network-enforcement" not in [one.name for one in staging.resources]


def test_the_key_s_policy_follows_the_cluster(program: Program) -> None:
    def sids(**changes: str) -> set[str]:
        policy = json.loads(named(program("staging", **changes), "key-key").inputs["policy"])
        return {statement["Sid"] for statement in policy["Statement"]}

    usual = sids()
    assert sids(eksAutoMode="true") == usual | {"VolumeKey", "VolumeGrant"}
    # Its own role has the rights to volumes by a policy of its own.
    assert sids(**CREATE) == usual | {"GrantToCluster", "Logs"}


def test_redirects_are_those_of_the_pages_that_are_served() -> None:
    assert redirects(values_of("staging", grafana="false").hosts) == [
        f"https://{app}.staging.example.com/oauth2/idpresponse" for app in ("prometheus", "alertmanager", "jaeger")
    ]


def test_an_offline_preview_has_dummy_keys_and_asks_nobody(program: Program) -> None:
    recorded = program("staging", preview=True, offlinePreview="true")
    provider = named(recorded, "aws").inputs
    assert provider["accessKey"] == "offline"
    assert provider["skipCredentialsValidation"] == "true"
    assert provider["skipRequestingAccountId"] == "true"
    assert "allowedAccountIds" not in provider
    assert "https://offline.invalid" in named(recorded, "cluster").inputs["kubeconfig"]


def test_outputs_say_what_is_where_and_how_to_open_it(production: Recorded) -> None:
    aws = production.exports["aws"]
    assert aws["cluster"]["open"] == "aws eks update-kubeconfig --name observability-production --region eu-central-1"
    bucket = aws["buckets"]["observability-production-logs"]
    assert bucket["open"] == "aws s3 ls s3://observability-production-logs --region eu-central-1"
    assert bucket["arn"] == "arn:aws:s3:::observability-production-logs"
    assert set(aws["roles"]) == {"loki", "otel-gateway", "workspace-proxy"}
    assert aws["workspace"]["remote_write_url"].endswith("/api/v1/remote_write")
    assert aws["search"]["url"].startswith("https://vpc-")
    assert aws["key"]["open"].startswith("aws kms describe-key --key-id arn:aws:kms:")
    assert "token" not in json.loads(production.exports["kubeconfig"])["users"][0]["user"]
    assert production.exports["redirects"][0] == "https://grafana.production.example.com/login/generic_oauth"
    assert len(production.exports["redirects"]) == 4
    assert production.exports["endpoints"]["grafana"]["external_url"] == "https://grafana.production.example.com"
