"""`logIndex` adds a Job before the gateways, an exporter to them, and a Secret with the credentials."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.collector.agent_config import LOG_FIELDS
from components.collector.gateway_config import INDEX_LABELS, LOG_ATTRIBUTES
from components.collector.log_limits import CLAIMED_TIMESTAMP
from components.logs.log_index import NAME
from settings import stack, values
from tests.mock_engine import ROOT, SECRETS, Recorded, stack_config

Program = Callable[..., Recorded]
ON = {"logIndex": "true", "opensearchUrl": "https://search.example.com:9200/", "opensearchUsername": "logs"}
PASSWORD = {"opensearchPassword": "hush-password"}


def parsed(**changes: str) -> stack.Settings:
    return stack.parse(stack_config("local") | changes, [*SECRETS, *values.SECRETS])


def config(recorded: Recorded) -> dict[str, Any]:
    return yaml.safe_load(recorded.one("ConfigMap", "otel-gateway-config").inputs["data"]["gateway.yaml"])


def test_the_index_has_the_fields_that_loki_has_beside_a_line() -> None:
    folder = ROOT / "components/opensearch/prepare"
    pipeline = json.loads((folder / "ingest-pipeline.json").read_text())
    template = json.loads((folder / "index-template.json").read_text())["template"]["mappings"]["properties"]
    beside = {*INDEX_LABELS, *LOG_ATTRIBUTES, *LOG_FIELDS, CLAIMED_TIMESTAMP}
    assert set(pipeline["processors"][0]["script"]["params"]["kept"]) == beside
    # A service name that must not become a label is the service in the index, which has no labels.
    assert beside - {"service_name"} <= template.keys()


def test_without_log_index_there_are_no_resources_for_it(program: Program) -> None:
    recorded = program("local")
    assert not [one for one in recorded.resources if "log-index" in one.name]
    assert [name for name in config(recorded)["exporters"] if "index" in name] == []


def test_the_gateways_send_lines_of_requests_once_the_job_is_done(program: Program, preview: bool) -> None:
    recorded = program("local", preview=preview, **ON, **PASSWORD)
    pipelines = config(recorded)["service"]["pipelines"]
    assert pipelines["logs"]["exporters"] == ["otlp_http/loki"]
    assert pipelines["logs/index"]["exporters"] == ["otlp_http/log_index"]
    exporter = config(recorded)["exporters"]["otlp_http/log_index"]
    assert exporter["logs_endpoint"].startswith(f"https://search.example.com:9200/{NAME}-unparsed/_doc?")
    assert exporter["headers"] == {"Authorization": "${env:LOG_INDEX_AUTHORIZATION}"}
    gateway = recorded.one("StatefulSet", "otel-gateway").inputs["spec"]["template"]["spec"]["containers"][0]
    (variable,) = [one for one in gateway["env"] if one["name"] == "LOG_INDEX_AUTHORIZATION"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "log-index", "key": "authorization"}
    for policy in ("otel-gateway", "log-index"):
        egress = recorded.one("NetworkPolicy", policy).inputs["spec"]["egress"]
        assert 9200 in [port["port"] for rule in egress for port in rule["ports"]], policy
    for name in ("log-index", "log-index-user"):
        assert recorded.one("Job", name).name in recorded.one("StatefulSet", "otel-gateway").dependencies


def test_the_credentials_are_only_in_the_secret(program: Program) -> None:
    recorded = program("local", **ON, **PASSWORD)
    data = recorded.one("Secret", "log-index").inputs["stringData"]
    assert recorded.one("Secret", "log-index").secret_inputs == {"stringData"}
    everything = str([one.inputs for one in recorded.resources if one.kind != "Secret"])
    assert not [value for value in (data["password"], data["authorization"]) if value in everything]


def test_the_job_gets_the_same_files_that_the_tests_run(program: Program) -> None:
    files = program("local", **ON, **PASSWORD).one("ConfigMap", "log-index").inputs["data"]
    assert files == {name: (ROOT / "components/opensearch/prepare" / name).read_text() for name in files}
    assert len(files) == 4
    assert json.loads(files["index-template.json"])["index_patterns"] == [f"{NAME}-*"]


def test_the_template_limits_its_fields() -> None:
    template = json.loads((ROOT / "components/opensearch/prepare/index-template.json").read_text())["template"]
    fields = template["mappings"]["properties"]
    assert template["mappings"]["dynamic"] is False
    assert template["settings"]["index.mapping.total_fields.limit"] >= len(fields)
    unbounded = [name for name, field in fields.items() if field["type"] == "keyword" and "ignore_above" not in field]
    assert unbounded == ["line"]
    assert fields["line"]["index"] is False


def test_log_index_requires_an_opensearch_and_its_password() -> None:
    with pytest.raises(stack.SettingsError) as error:
        parsed(logIndex="true")
    assert [line.split(": ")[0] for line in error.value.problems] == [
        "observability:opensearchUrl",
        "observability:opensearchUsername",
    ]
    with pytest.raises(stack.SettingsError) as error:
        parsed(**ON)
    assert error.value.problems == (
        "observability:opensearchPassword: required, but not set; needed by logIndex; "
        "set it with: pulumi config set --secret opensearchPassword",
    )
    assert parsed(**ON, **PASSWORD).values.opensearch
