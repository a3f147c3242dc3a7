"""A service that the region does not have is refused before anything is created there."""

import boto3
import pytest
from botocore.config import Config

from components.eks.preflight.account import Questions
from components.eks.preflight.regions import regions
from tests.eks.account import SEARCH, Account, check, values_of

ALL = {**SEARCH, "managedPrometheus": "true", "xray": "true"}


def problems(region: str, **changes: str) -> list[str]:
    values = values_of("staging", **changes).model_copy(update={"aws_region": region})
    session = boto3.session.Session(region_name=region)
    return list(regions(Questions(session=session, patience=Config(), values=values, stack="staging")))


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1"])
def test_china_has_no_managed_prometheus(region: str) -> None:
    assert problems(region, **ALL) == [
        f"managedPrometheus: true is not allowed: {region} has no such service; allowed: false, or in this partition "
        "(aws-cn) one of: none"
    ]
    assert problems(region) == []


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "ap-southeast-2"])
def test_a_region_that_has_all_is_accepted(region: str) -> None:
    assert problems(region, **ALL) == []


def test_a_region_that_is_newer_than_the_list_is_accepted() -> None:
    assert problems("eu-future-1", **ALL) == []


def test_the_regions_of_the_partition_are_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = ["eu-central-1", "eu-west-1"]
    having = {"amp": ["eu-west-1"]}
    monkeypatch.setattr(
        boto3.session.Session, "get_available_regions", lambda _, name, **_partition: having.get(name, everywhere)
    )
    assert check(account, None, managedPrometheus="true").problems == [
        "managedPrometheus: true is not allowed: eu-central-1 has no such service; allowed: false, or in this "
        "partition (aws) one of: eu-west-1"
    ]
