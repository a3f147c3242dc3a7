"""The certificate: its hosts, the records that prove them, and one that is given."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest
from pydantic import ValidationError

from components.eks.certificate import Certificate
from settings.eks.values import EksValues
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
HOSTS = {app: f"{app}.staging.example.com" for app in ("grafana", "prometheus", "alertmanager", "jaeger")}
GIVEN = "arn:aws:acm:eu-central-1:123456789012:certificate/given"


def _run(engine: Engine, arn: str, *, preview: bool, zone_provider: str = "aws") -> tuple[Recorded, list[str]]:
    arns: list[str] = []

    def program() -> None:
        own = aws.Provider("aws", region="eu-central-1")
        there = pulumi.ResourceOptions(providers=[own])
        of_zone = own if zone_provider == "aws" else aws.Provider(zone_provider, region="eu-central-1")
        args = {"hosts": HOSTS, "zone_id": "Z1", "certificate_arn": arn, "zone_provider": of_zone}
        Certificate("certificate", args, there).arn.apply(arns.append)  # pyright: ignore[reportArgumentType]

    return engine(program, preview=preview), arns


def test_it_covers_the_hosts_and_is_used_only_once_it_is_issued(engine: Engine, preview: bool) -> None:
    recorded, arns = _run(engine, "", preview=preview)
    (certificate,) = recorded.of("Certificate")[1:]
    assert certificate.type == "aws:acm/certificate:Certificate"
    assert certificate.inputs == {
        "domainName": HOSTS["jaeger"],
        "subjectAlternativeNames": [HOSTS["grafana"], HOSTS["prometheus"], HOSTS["alertmanager"]],
        "validationMethod": "DNS",
    }
    assert {one.provider.split("::")[-2] for one in recorded.resources if one.type.startswith("aws:")} == {"aws"}
    (validation,) = recorded.of("CertificateValidation")
    assert validation.dependencies == {"certificate-certificate", *(f"certificate-{app}-validation" for app in HOSTS)}
    assert arns == ([] if preview else ["arn:aws:acm:eu-central-1:111122223333:certificate/certificate-certificate"])


def test_each_host_is_proved_by_its_own_record(engine: Engine, preview: bool) -> None:
    recorded, _ = _run(engine, "", preview=preview)

    records = {one.name: one.inputs for one in recorded.of("Record")}
    assert set(records) == {f"certificate-{app}-validation" for app in HOSTS}
    for app, host in HOSTS.items():
        found = records[f"certificate-{app}-validation"]
        assert (found["zoneId"], found["ttl"], found["allowOverwrite"]) == ("Z1", 300, True)
        # In a preview AWS has not said yet what proves a host.
        if not preview:
            assert found["name"] == f"_proof.{host}."
            assert (found["type"], found["records"]) == ("CNAME", ["_given.acm-validations.aws."])


def test_a_record_outlives_the_stack_because_other_certificates_of_its_host_need_it(engine: Engine) -> None:
    recorded, _ = _run(engine, "", preview=False)
    assert [one.retain for one in recorded.of("Record")] == [True] * len(HOSTS)


def test_the_records_are_written_by_the_provider_of_their_zone(engine: Engine) -> None:
    recorded, _ = _run(engine, "", preview=False, zone_provider="of-zone")
    used = {(one.kind, one.provider.split("::")[-2]) for one in recorded.resources if one.provider and one.custom}
    assert used == {("Certificate", "aws"), ("CertificateValidation", "aws"), ("Record", "of-zone")}


def test_a_given_one_is_taken_as_it_is(engine: Engine, preview: bool) -> None:
    recorded, arns = _run(engine, GIVEN, preview=preview)
    assert [one.name for one in recorded.resources] == ["aws", "certificate"]
    assert arns == [GIVEN]
    assert recorded.outputs["certificate"] == {"arn": GIVEN}


@pytest.mark.parametrize(("length", "wrong"), [(57, None), (58, "string_too_long")])
def test_a_domain_leaves_room_for_the_shortest_host(length: int, wrong: str | None) -> None:
    domain = f"b.{'a' * (length - 6)}.com"
    with pytest.raises(ValidationError) as error:
        EksValues.model_validate({"domain": domain})
    # ACM takes 64 characters for the first name.
    assert (len(f"jaeger.{domain}") <= 64) == (wrong is None)
    assert {item["loc"][0]: item["type"] for item in error.value.errors()}.get("domain") == wrong
