"""The hosted zones of a whole stack: which one has which records, and with which role they are written."""

import json
from collections.abc import Callable

from tests.eks.test_platform import ROLE, named
from tests.mock_engine import Recorded

Program = Callable[..., Recorded]
ZONE_ROLE = "arn:aws:iam::999999999999:role/dns"


def test_a_zone_of_another_account_is_changed_with_its_role(program: Program) -> None:
    recorded = program("staging", hostedZoneRoleArn=ZONE_ROLE, awsRoleArn=ROLE)
    provider = named(recorded, "aws-hosted-zone").inputs
    # The second role is assumed with the credentials of the first.
    assumed = [{"roleArn": role, "sessionName": "pulumi"} for role in (ROLE, ZONE_ROLE)]
    assert json.loads(provider["assumeRoles"]) == assumed
    assert json.loads(provider["allowedAccountIds"]) == ["999999999999"]
    users = {one.kind for one in recorded.resources if "::aws-hosted-zone::" in one.provider}
    assert users == {"Record"}
    assert all("::aws-hosted-zone::" in one.provider for one in recorded.of("Record"))


def test_an_offline_preview_assumes_no_role_for_the_zone(program: Program) -> None:
    recorded = program("staging", preview=True, offlinePreview="true", hostedZoneRoleArn=ZONE_ROLE)
    provider = named(recorded, "aws-hosted-zone").inputs
    assert provider["accessKey"] == "offline"
    assert not {"assumeRoles", "allowedAccountIds"} & provider.keys()


def test_a_public_zone_proves_what_a_private_one_names(program: Program) -> None:
    records = {one.name: one.inputs["zoneId"] for one in program("staging", certificateZoneId="Z1").of("Record")}
    assert records.pop("certificate-grafana-validation") == "Z1"
    assert records["dns-grafana"] == "Z0123456789ABCDEFGHIJ"
