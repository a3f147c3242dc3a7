"""The account that the checks before a deployment ask."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto import mock_aws

from components.eks.preflight import interrupted
from settings import versions
from tests.eks.account import CLUSTER, DRIVER, GROUP, SUPPORT, Account

# No test needs an image of a machine. moto would make 1,300 of them, twice for each test.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

Installed = dict[str, dict[str, str]]
_OTHERS = {"auto", "driver", "network", "offered", "xray"}
_END = datetime(2027, 3, 23, tzinfo=UTC)


def _answer(operation: str, parameters: dict[str, Any], made: Installed) -> dict[str, Any] | None:
    """What AWS answers to the operations that moto does not know; None for all others."""
    name = parameters.get("addonName", "")
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "ListPodIdentityAssociations": lambda: {
            "associations": [{"associationId": "a-1"}]
            if parameters == {"clusterName": CLUSTER} | DRIVER and "driver" in made
            else []
        },
        "DescribePodIdentityAssociation": lambda: {"association": {"roleArn": made["driver"]["role"]}},
        "GetTraceSegmentDestination": lambda: {
            "Destination": made.get("xray", {"destination": "CloudWatchLogs"})["destination"]
        },
        "ListAddons": lambda: {"addons": sorted(made.keys() - _OTHERS)},
        "DescribeAddon": lambda: {
            "addon": {
                "tags": made[name],
                "serviceAccountRoleArn": made[name].get("role", ""),
                "configurationValues": made[name].get("configuration", ""),
            },
        },
        "DescribeAddonVersions": lambda: {
            "addons": [{"addonName": name, "addonVersions": [{"addonVersion": one} for one in _offered(name, made)]}]
        },
        "DescribeClusterVersions": lambda: {
            "clusterVersions": [
                {"clusterVersion": version, "versionStatus": status, "endOfExtendedSupportDate": _END}
                for version, status in SUPPORT.items()
            ]
        },
    }
    return answers[operation]() if operation in answers else None


def _offered(addon: str, made: Installed) -> list[str]:
    return made.get("offered", {}).get(addon, versions.EKS_ADDONS[addon]).split()


@pytest.fixture(scope="session", autouse=True)
def _clients_are_kept() -> Iterator[None]:
    """Keeps the clients of AWS: botocore makes a class of hundreds of methods and reads the endpoints for each.

    moto answers instead of AWS whichever client asks, and `installed` changes what all of them do.
    """
    made: dict[object, Any] = {}
    create = boto3.session.Session.client

    def client(self: boto3.session.Session, service: str, *given: Any, **options: Any) -> Any:
        credentials = self.get_credentials()
        environment = frozenset((key, value) for key, value in os.environ.items() if key.startswith("AWS_"))
        # A Config has no equality; those of the program are constants.
        chosen = frozenset((key, id(value) if key == "config" else value) for key, value in options.items())
        identity = credentials and (credentials.access_key, credentials.token)
        key = (service, given, chosen, self.region_name, self.profile_name, identity, environment)
        if key not in made:
            # The options are kept, too, so that no other Config gets the same id.
            made[key] = create(self, service, *given, **options), options
        return made[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3.session.Session, "client", client)
        yield


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Add-on -> tags, of those that a cluster has, `role` and `configuration` among them.

    A driver's role by Pod Identity is under `driver`; under `xray` the `destination` of traces, where that is not
    CloudWatchLogs; under `offered` the versions of add-ons that EKS offers, where that is not the pinned one;
    `auto` is a cluster in Auto Mode. moto knows none of them. Each answer has the form of botocore's model of AWS.
    """
    made: Installed = {}
    send = BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "DescribeAddon" and parameters["addonName"] not in made:
            raise client.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException"}}, operation
            )
        answer = _answer(operation, parameters, made)
        if answer is not None:
            model = client.meta.service_model.operation_model(operation)
            assert not set(parameters) - set(model.input_shape.members), operation
            _require_form(model.output_shape, answer, operation)
            return answer
        answer = send(client, operation, parameters)
        if operation == "DescribeCluster":
            # moto gives back what was asked for, without what EKS adds.
            network = answer["cluster"]["resourcesVpcConfig"]
            network.setdefault("clusterSecurityGroupId", GROUP)
            network["vpcId"] = made["network"]["vpc"]
            if "auto" in made:
                answer["cluster"]["computeConfig"] = {"enabled": True}
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # No engine runs that could be asked for the stack's state.
    monkeypatch.setattr(interrupted, "recorded", lambda _stack, _kind, _key: set[str]())
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/aws")
    # As eksctl, the console and Terraform install the driver: with a role that EKS knows.
    installed["aws-ebs-csi-driver"] = {"role": "arn:aws:iam::123456789012:role/ebs-csi"}
    installed["eks-pod-identity-agent"] = {}
    with mock_aws():
        made = Account()
        installed["network"] = {"vpc": made.vpc_id}
        yield made


def _require_form(shape: Shape, answer: Any, where: str) -> None:
    """Fails if an answer has a field that AWS' own model does not have there."""
    if isinstance(shape, StructureShape):
        for key, value in answer.items():
            assert key in shape.members, f"{where}.{key} is no field of AWS"
            _require_form(shape.members[key], value, f"{where}.{key}")
    elif isinstance(shape, ListShape):
        for value in answer:
            _require_form(shape.member, value, where)
    elif isinstance(shape, MapShape):
        assert isinstance(answer, dict), where
    elif enum := getattr(shape, "enum", None):
        assert answer in enum, f"{where}: {answer}"
