"""Asks AWS before the first resource whether the stack's settings can come true there. All problems at once.

Wrong credentials, another account, or an AWS that does not answer are problems, too: nothing unasked is green.
"""

import json
import shutil
from collections.abc import Mapping

import boto3
import pulumi
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight import account, secrets_manager
from components.eks.preflight import cluster as preflight_cluster
from components.eks.preflight.account import Questions
from components.eks.preflight.secrets_manager import told
from settings.eks import facts
from settings.eks.aws import partition
from settings.eks.facts import Facts, Findings
from settings.eks.secret_references import Reference
from settings.values import Values

# Seconds and tries: an address that swallows packets must not hold a preview for minutes.
_PATIENCE = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})


def check(values: Values, references: Mapping[str, Reference], stack: str) -> Findings:
    """What AWS says of the stack of this name, its problems as lines that start with a key.

    With offlinePreview nothing is asked, and all but a preview is a problem.
    """
    if values.offline_preview:
        if pulumi.runtime.is_dry_run():
            return facts.offline(values, references)
        return Findings(problems=["offlinePreview: true is not allowed; allowed: true only for `pulumi preview`"])
    try:
        session = boto3.session.Session(profile_name=values.aws_profile or None, region_name=values.aws_region)
    except BotoCoreError as error:
        return Findings(problems=[f'awsProfile: "{values.aws_profile}" is not allowed; {_line(error)}'])
    if wrong := _wrong_account(session, values):
        # Whatever another account says is about nothing of ours.
        return Findings(problems=[wrong])
    questions = Questions(session=session, patience=_PATIENCE, values=values, stack=stack)
    cluster, problems = preflight_cluster.cluster(questions)
    problems += account.others(questions)
    problems += _tools(values)
    client = session.client("secretsmanager", config=_PATIENCE)
    secrets, unreadable = secrets_manager.read(client, references, values.aws_region)
    found = Facts(
        account_id=values.aws_account_id,
        partition=partition(values.aws_region),
        region=values.aws_region,
        cluster=cluster,
    )
    return Findings(facts=found, secrets=secrets, problems=[*problems, *unreadable])


def _wrong_account(session: boto3.session.Session, values: Values) -> str | None:
    """Why these credentials are not the stack's; None when they are."""
    key = f"awsAccountId: {json.dumps(values.aws_account_id)}"
    try:
        identity = session.client("sts", config=_PATIENCE).get_caller_identity()
    except ClientError as error:
        return f"{key} cannot be used: AWS refuses the credentials: {told(error)}"
    except (BotoCoreError, ValueError) as error:
        return f"{key} cannot be used: {_line(error)}; log in, or set awsProfile"
    if identity["Account"] != values.aws_account_id:
        return f"{key} is not the account of the credentials, which are {identity['Arn']}"
    return None


def _tools(values: Values) -> list[str]:
    given = values.kubeconfig or values.kube_context
    if given or shutil.which("aws"):
        return []
    return ["kubeContext: not set, and there is no `aws` on the PATH, which gives the tokens for the cluster then"]


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
