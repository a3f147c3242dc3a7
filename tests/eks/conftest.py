"""The account that the checks before a deployment ask."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient
from moto import mock_aws

from tests.eks.account import CLUSTER, DRIVER, Account


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Add-on -> tags, of those that a cluster has, `role` among them; and a driver's by Pod Identity, under `driver`.

    Under `xray` the `destination` of traces, where that is not CloudWatchLogs. moto knows none of them.
    """
    made: dict[str, dict[str, str]] = {}
    send = BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "ListPodIdentityAssociations":
            tied = parameters == {"clusterName": CLUSTER} | DRIVER and "driver" in made
            return {"associations": [{"associationId": "a-1"}] if tied else []}
        if operation == "GetTraceSegmentDestination":
            return {"Destination": made.get("xray", {"destination": "CloudWatchLogs"})["destination"]}
        if operation == "DescribePodIdentityAssociation":
            return {"association": {"roleArn": made["driver"]["role"]}}
        if operation != "DescribeAddon":
            return send(client, operation, parameters)
        if parameters["addonName"] not in made:
            raise client.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException"}}, operation
            )
        tags = made[parameters["addonName"]]
        return {"addon": {"tags": tags, "serviceAccountRoleArn": tags.get("role", "")}}

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, installed: dict[str, dict[str, str]]) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/aws")
    with mock_aws():
        yield Account()
