"""Commands of the manual that need an AWS account are not run, but AWS and Pulumi know them and their options."""

import re
import shlex
import subprocess
from functools import cache

import boto3
import pytest
from botocore import xform_name

from local.toolchain import built
from tests.manual.pages import PAGES, commands

COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands(page)})
AWS = [(page, command) for page, command in COMMANDS if re.match(r"([A-Z_]+=\S+ )*aws ", command)]
PULUMI = [(page, command) for page, command in COMMANDS if re.match(r"([A-Z_]+=\S+ )*pulumi ", command)]
# Names and options that only the AWS command line has (`aws help`, `aws eks update-kubeconfig help`).
SERVICES = {"s3api": "s3"}
GLOBAL = {"region", "query", "output", "profile"}
CUSTOM = {("eks", "update-kubeconfig"): {"name", "alias"}}


def parts(command: str, program: str) -> tuple[list[str], set[str]]:
    """The words after the program, and the names of its options, without those inside `$(…)`."""
    words = shlex.split(re.sub(r"\$\([^)]*\)", "X", command))
    words = words[words.index(program) + 1 :]
    first_option = next((number for number, word in enumerate(words) if word.startswith("--")), len(words))
    return words[:first_option], {word[2:].split("=")[0] for word in words if word.startswith("--")}


@pytest.mark.parametrize(("page", "command"), AWS)
def test_aws_knows_the_operation_and_its_options(page: str, command: str) -> None:
    (service, operation), options = parts(command, "aws")
    known = CUSTOM.get((service, operation))
    if known is None:
        client = boto3.client(SERVICES.get(service, service), region_name="eu-central-1")
        name = client.meta.method_to_api_mapping[operation.replace("-", "_")]
        model = client.meta.service_model.operation_model(name)
        members = model.input_shape.members if model.input_shape else {}
        known = {xform_name(member, "-") for member in members}
    assert options - known - GLOBAL == set(), f"{page}: {command}"


@cache
def pulumi_help(*words: str) -> str:
    done = subprocess.run([built("pulumi"), *words, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("page", "command"), PULUMI)
def test_pulumi_knows_the_command_and_its_options(page: str, command: str) -> None:
    words, options = parts(command, "pulumi")
    path = words[: 2 if words[0] in {"stack", "config", "plugin"} and len(words) > 1 else 1]
    text = pulumi_help(*path)
    assert f"pulumi {words[0]}" in text, f"{page}: {command}"
    missing = [option for option in options if not re.search(rf"--{option}\b", text)]
    assert missing == [], f"{page}: {command}"


def test_the_manual_has_commands_of_aws_and_pulumi() -> None:
    assert len(AWS) > 6
    assert len(PULUMI) > 12
