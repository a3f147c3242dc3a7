# ruff: noqa: E501  (a case of a table stays on its line)
"""Wrong configuration is reported with one clear line per problem, all problems at once, and without secrets."""

import functools
import json
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pulumi.runtime import config as runtime_config

from alerting import routing
from components import configuration
from settings import content
from settings import stack as settings
from settings import values as setting_values
from settings.eks import facts
from settings.quantities import quantity_bytes
from tests.mock_engine import ROOT, SECRETS, STACKS, stack_config

OUTSIDE = (
    "the value (a secret, not shown) is not allowed; allowed: https on port 443 for a host outside the cluster, because "
    "Alertmanager may reach nothing else there; hosts inside the cluster end in .svc"
)
PLAIN = "pulumi config set --secret"


def problems(**changes: str | None) -> tuple[str, ...]:
    """Problems of production's configuration after these changes; None removes a key."""
    values = {
        key: value for key, value in (stack_config("production") | SECRETS | changes).items() if value is not None
    }
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(values, [*SECRETS, *setting_values.SECRETS])
    assert str(error.value).startswith(f"{len(error.value.problems)} problem")
    assert "nothing was changed" in str(error.value)
    return error.value.problems


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_is_valid_once_its_secrets_are_set(stack: str) -> None:
    secrets = {} if stack == "local" else SECRETS
    loaded = settings.parse(stack_config(stack) | secrets, list(secrets))
    assert set(loaded.secrets) == {
        *SECRETS,
        "speccursorOnCallEmail",
        "mediaOnCallEmail",
        "mediaClusteringOnCallMention",
    }


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("prometheusRetntion", "15d", "unknown key; did you mean prometheusRetention?"),
        ("prometheusRetention", "fifteen days", '"fifteen days" is not allowed; allowed: a Prometheus duration above zero such as 15d, 36h or 1w2d'),
        ("prometheusRetention", "0s", '"0s" is not allowed; allowed: a Prometheus duration above zero such as 15d, 36h or 1w2d'),
        ("prometheusStorage", "50 GB", '"50 GB" is not allowed; allowed: a Kubernetes quantity of at least 64Mi, such as 50Gi'),
        ("prometheusReplicas", "0", "0 is not allowed; allowed: a whole number from 1 to 10"),
        ("prometheusReplicas", "two", '"two" is not allowed; allowed: a whole number from 1 to 10'),
        ("prometheusReplicas", "2.5", "2.5 is not allowed; allowed: a whole number from 1 to 10"),
        ("prometheusReplicas", "true", "true is not allowed; allowed: a whole number from 1 to 10"),
        ("simulator", "yes", '"yes" is not allowed; allowed: true or false'),
        ("cloud", "gke", '"gke" is not allowed; allowed: none or eks'),
        ("storageClass", "Gold", "\"Gold\" is not allowed; allowed: a storage class's name"),
        ("clusterName", None, "required, but not set; allowed: up to 100 letters, digits, `-`, `_` and `.`"),
        ("namespace", "Observability", '"Observability" is not allowed; allowed: a DNS label of at most 57 characters (small letters, digits and `-`) that nothing else uses'),
        ("scrapeInterval", "10m", '"10m" is not allowed; allowed: a Prometheus duration above zero, at most 2m, such as 30s'),
        ("repeatInterval", "1m", '"1m" is not allowed; allowed: a Prometheus duration above zero such as 4h, longer than groupInterval and at most 120h, for which Alertmanager remembers a notification'),
        ("repeatInterval", "6d", '"6d" is not allowed; allowed: a Prometheus duration above zero such as 4h, longer than groupInterval and at most 120h, for which Alertmanager remembers a notification'),
        ("repeatInterval", "300s", '"300s" is not allowed; allowed: a Prometheus duration above zero such as 4h, longer than groupInterval and at most 120h, for which Alertmanager remembers a notification'),
        ("platformSlackUrl", "http://hush.example.com", OUTSIDE),
        ("platformSlackUrl", "https://hush.example.com:8443/x", OUTSIDE),
        ("deadMansSwitchUrl", "http://hush.example.com:443", OUTSIDE),
        ("deadMansSwitchUrl", "http://hush.svc.example.com:8080", OUTSIDE),
        ("notificationWebhookUrl", "https://hush.example.com:port", "the value (a secret, not shown) is not allowed; allowed: an http or https URL"),
        ("prometheusUrl", "prometheus.local", '"prometheus.local" is not allowed; allowed: an http or https URL without login, query and fragment'),
        ("simulatorImage", "observability/simulator", '"observability/simulator" is not allowed; allowed: an image reference with a tag or digest'),
        ("lokiStorageBackend", "tape", '"tape" is not allowed; allowed: filesystem or s3'),
        ("jaegerStorageBackend", "cassandra", '"cassandra" is not allowed; allowed: badger or opensearch'),
        ("lokiRetention", "36h", '"36h" is not allowed; allowed: whole days, at least 1d, such as 30d, 2w or 48h'),
        ("lokiRetention", "forever", '"forever" is not allowed; allowed: whole days, at least 1d, such as 30d, 2w or 48h'),
        ("lokiBucket", "", "\"\" is not allowed; allowed: an S3 bucket's name; required when lokiStorageBackend is s3, and only then"),
        ("lokiBucket", "a..b", "\"a..b\" is not allowed; allowed: an S3 bucket's name; required when lokiStorageBackend is s3, and only then"),
        ("awsRegion", "", '"" is not allowed; allowed: an AWS region such as eu-central-1; required when cloud is eks, or logs are in S3 without an endpoint'),
        ("jaegerReplicas", "10", "10 is not allowed; allowed: a whole number from 1 to 9; 1 when jaegerStorageBackend is badger, which replicas cannot share"),
        ("jaegerRetention", "1ms", '"1ms" is not allowed; allowed: a Prometheus duration of at least 1h, such as 7d'),
        ("traceSamplingPercentage", "101", "101 is not allowed; allowed: a number from 0 to 100"),
        ("traceSamplingPercentage", "-1", "-1 is not allowed; allowed: a number from 0 to 100"),
        ("traceSamplingPercentage", "ten", '"ten" is not allowed; allowed: a number from 0 to 100'),
        ("traceSlowerThan", "2h", '"2h" is not allowed; allowed: a Prometheus duration from 1ms to 1h, such as 5s'),
        ("traceDecisionWait", "10m", '"10m" is not allowed; allowed: a Prometheus duration from 1s to 5m, such as 10s'),
        ("collectorMemory", "512", '"512" is not allowed; allowed: a Kubernetes quantity of at least 128Mi, such as 512Mi'),
        ("collectorReplicas", "20", '"256Mi" is not allowed; allowed: a Kubernetes quantity of at least 64Mi, and 32Mi for each of collectorReplicas, such as 256Mi'),
        ("namespace", "kube-system", '"kube-system" is not allowed; allowed: a DNS label of at most 57 characters (small letters, digits and `-`) that nothing else uses'),
        ("dashboardBaseUrl", "https://g.example.com/grafana", '"https://g.example.com/grafana" is not allowed; allowed: an http or https URL without login, query and fragment; without a path when grafana is true'),
        ("grafanaApiUrl", "https://admin:hush@g.example.com", '"https://(a login, not shown)@g.example.com" is not allowed; allowed: an http or https URL without login, query and fragment'),
        ("jaegerUrl", "https://j.example.com:99999", '"https://j.example.com:99999" is not allowed; allowed: an http or https URL without login, query and fragment'),
        ("lokiS3AccessKeyId", "hush", "set, but not used; allowed: only when lokiS3Endpoint is set; remove it with: pulumi config rm lokiS3AccessKeyId"),
        ("alertOverrides", "[]", "[] is not allowed; allowed: an object: alert name -> its changes"),
        ("alertOverrides", "{", '"{" is not allowed; allowed: an object: alert name -> its changes'),
        ("platformSlackUrl", None, f"required, but not set; needed by channel {' and '.join(routing.load().secrets()['platformSlackUrl'])}; set it with: {PLAIN} platformSlackUrl"),
        ("deadMansSwitchUrl", "", f"required, but not set; needed by channel dead-mans-switch; set it with: {PLAIN} deadMansSwitchUrl"),
        ("platformSlackUrl", "hush", "the value (a secret, not shown) is not allowed; allowed: an http or https URL"),
        ("platformSlackUrl", "http://[hush", "the value (a secret, not shown) is not allowed; allowed: an http or https URL"),
    ],
)  # fmt: skip
def test_names_key_value_and_what_is_allowed(key: str, value: str | None, problem: str) -> None:
    named = "collectorAgentMemory" if key == "collectorReplicas" else key
    assert problems(**{key: value}) == (f"observability:{named}: {problem}",)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"TargetDwn": {}}, "TargetDwn: no such alert; did you mean TargetDown?"),
        ({"JobQueueDepthHigh": {"thresholds": {"pending": 1}}}, "JobQueueDepthHigh.thresholds.pending: no such threshold; did you mean pending_jobs?"),
        ({"JobQueueDepthHigh": {"for": 5}}, "JobQueueDepthHigh.for: 5: must be a valid string"),
    ],
)  # fmt: skip
def test_names_the_path_inside_overrides(overrides: object, problem: str) -> None:
    assert problems(alertOverrides=json.dumps(overrides)) == (f"observability:alertOverrides.{problem}",)


def test_reports_everything_at_once() -> None:
    found = problems(
        cloud="gke",
        prometheusRetention="long",
        bogus="1",
        platformSlackUrl=None,
        serviceNamespaces='["ok", "Not OK"]',
        alertOverrides='{"Nope": {}}',
    )
    assert {problem.split(": ")[0] for problem in found} == {
        "observability:cloud",
        "observability:prometheusRetention",
        "observability:bogus",
        "observability:platformSlackUrl",
        "observability:serviceNamespaces[1]",
        "observability:alertOverrides.Nope",
    }


def test_opensearch_and_an_s3_server_require_their_credentials() -> None:
    found = problems(
        jaegerStorageBackend="opensearch", opensearchUrl="http://search.example.com", lokiS3Endpoint="https://s3:port"
    )
    assert {problem.split(": ")[0] for problem in found} == {
        "observability:opensearchUrl",
        "observability:lokiS3Endpoint",
    }
    found = problems(
        opensearchDomain="false",
        clusterSubnetIds="[]",
        opensearchPassword=None,
        jaegerStorageBackend="opensearch",
        opensearchUrl="https://search.example.com",
        opensearchUsername="jaeger",
        lokiS3Endpoint="http://minio.storage.svc:9000",
    )
    assert [problem.split("; set it")[0] for problem in found] == [
        "observability:lokiS3AccessKeyId: required, but not set; needed by lokiS3Endpoint",
        "observability:lokiS3SecretAccessKey: required, but not set; needed by lokiS3Endpoint",
        "observability:opensearchPassword: required, but not set; needed by jaegerStorageBackend opensearch",
    ]


def test_a_file_system_allows_one_loki_and_xray_requires_eks() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("local") | {"xray": "true", "lokiReplicas": "3"}, [])
    assert {problem.split(": ")[0] for problem in error.value.problems} == {
        "observability:xray",
        "observability:lokiReplicas",
    }


@pytest.mark.parametrize("key", setting_values.SECRETS)
def test_no_secret_may_be_plain_text_even_if_unused(key: str) -> None:
    with pytest.raises(settings.SettingsError, match=rf"{key}: is plain text in the stack file"):
        settings.parse(stack_config("production") | SECRETS | {key: "hush"}, list(SECRETS))


def test_a_secret_in_plain_text_is_refused_and_not_shown() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS, [])
    assert len(error.value.problems) == len(SECRETS)
    assert all("is plain text in the stack file" in problem for problem in error.value.problems)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://switch.example.com", "https://switch.example.com:443/x", "http://a.b.svc:8080"]
)
def test_urls_that_alertmanager_can_reach_are_allowed(url: str) -> None:
    loaded = settings.parse(stack_config("production") | SECRETS | {"deadMansSwitchUrl": url}, list(SECRETS))
    assert loaded.secrets["deadMansSwitchUrl"].get_secret_value() == url


def test_a_repeat_interval_of_a_route_that_equals_its_group_interval_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "routing.yaml"
    file.write_text(
        file.read_text().replace("    group_interval: 1m\n", "").replace("repeat_interval: 50s", "repeat_interval: 5m")
    )
    with pytest.raises(
        settings.SettingsError, match=r"routes\[0\]: repeat_interval 5m equals group_interval 5m \(one of"
    ):
        settings.parse(stack_config("production") | SECRETS, list(SECRETS), tmp_path)


def test_an_encrypted_value_is_never_shown() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS | {"cloud": "hush"}, [*SECRETS, "cloud"])
    assert "hush" not in str(error.value)
    assert "observability:cloud: the value (a secret, not shown) is not allowed; allowed: none or eks" in str(
        error.value
    )


def test_broken_rules_and_settings_are_reported_together(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path, dirs_exist_ok=True)
    (tmp_path / "routing.yaml").write_text(
        (tmp_path / "routing.yaml").read_text().replace("default: platform", "default: plat")
    )
    rules = tmp_path / "prometheus/platform.yaml"
    rules.write_text(rules.read_text().replace("vector(1)", "vector(1"))
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS | {"cloud": "gke"}, list(SECRETS), tmp_path)
    text = str(error.value)
    assert "rules/prometheus/platform.yaml: groups[0].rules[0].expr: is not valid PromQL" in text
    assert "rules/routing.yaml: default: no channel 'plat-slack'; did you mean platform-slack?" in text
    assert "observability:cloud" in text


def test_reads_the_configuration_that_the_engine_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {f"observability:{key}": value for key, value in (stack_config("staging") | SECRETS).items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(values | {"aws:region": "eu-west-1"}))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([f"observability:{key}" for key in SECRETS]))
    runtime_config.set_all_config({}, [])
    monkeypatch.setattr("pulumi.get_stack", lambda: "staging")
    monkeypatch.setattr("components.eks.preflight.check", facts.offline)
    loaded = configuration.load()
    assert loaded.values.cluster_name == "observability-staging"
    assert loaded.secrets["platformSlackUrl"].get_secret_value() == SECRETS["platformSlackUrl"]
    assert "hush" not in repr(loaded)


def test_paths_are_absolute_and_empty_means_not_set() -> None:
    local, production = (
        settings.parse(stack_config("local"), []),
        settings.parse(stack_config("production") | SECRETS, list(SECRETS)),
    )
    assert local.kubeconfig == str(ROOT / ".state/kubeconfig")
    assert local.kube_context is None
    assert local.storage_class is None
    assert str(production.kubeconfig).startswith("{")
    assert production.storage_class == "observability-gp3"


def test_project_and_settings_have_the_same_keys() -> None:
    declared = {
        key for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"] if not key.startswith("pulumi:")
    }
    assert declared == {field.alias for field in settings.Values.model_fields.values()}


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        assert quantity_bytes(text) > 0
    except ValueError as error:
        assert "must be a Kubernetes quantity above zero" in str(error)  # noqa: PT017  (either outcome is right)


# The files of rules and dashboards do not depend on any value, so all examples share them.
PARTS = functools.cache(content.load)


@given(key=st.sampled_from(sorted(stack_config("production"))), value=st.text(max_size=20))
@example(key="domain", value=" ")
def test_no_value_crashes_the_settings(key: str, value: str) -> None:
    raw = stack_config("production") | SECRETS | {key: value}
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(content, "load", lambda folder: (PARTS(folder)[0], []))
            settings.parse(raw, list(SECRETS))
    except settings.SettingsError as error:
        # A problem may name another key that depends on this one: an SMTP user requires a password, for example.
        expected = [f"observability:{key}", f"needed by {key};", f"when {key} is "]
        if key == "domain":  # default addresses are derived from the domain
            expected.append(f".{json.dumps(value, ensure_ascii=False)[1:]} is not allowed")
        assert all(any(part in problem for part in expected) for problem in error.problems), error.problems  # noqa: PT017


@pytest.mark.parametrize(("text", "expected"), [("2Gi", 2**31), ("500M", 500_000_000), ("1.5Ki", 1536), ("7", 7)])
def test_quantities(text: str, expected: int) -> None:
    assert quantity_bytes(text) == expected
