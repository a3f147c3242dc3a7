"""Checks before the first resource that AWS can fulfil the stack's settings. Reports all problems at once.

Wrong credentials, another account, and unanswered requests are problems, too: a check that cannot run fails.
"""

import json
import shutil
from collections.abc import Mapping

import boto3
import pulumi
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight import account, interrupted, network, pod_ranges, regions, secrets_manager, zones
from components.eks.preflight import cluster as preflight_cluster
from components.eks.preflight.account import Questions
from components.eks.preflight.secrets_manager import error_text
from components.eks.preflight.sessions import RoleNotAssumedError, assumed, one_line
from settings.eks import facts
from settings.eks.aws import partition
from settings.eks.facts import Facts, Findings
from settings.eks.secret_references import Reference
from settings.values import Values

# Timeouts in seconds, and attempts: an address that drops packets must not delay a preview for minutes.
_PATIENCE = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})


def check(values: Values, references: Mapping[str, Reference], stack: str) -> Findings:
    """Checks the stack of this name. Each problem is a line that starts with a key.

    With offlinePreview it makes no requests, and reports a problem unless the engine runs a preview.
    """
    if values.offline_preview:
        if pulumi.runtime.is_dry_run():
            return facts.offline(values, references)
        return Findings(problems=["offlinePreview: true is not allowed; allowed: true only for `pulumi preview`"])
    try:
        session = boto3.session.Session(profile_name=values.aws_profile or None, region_name=values.aws_region)
    except BotoCoreError as error:
        return Findings(problems=[f'awsProfile: "{values.aws_profile}" is not allowed; {one_line(error)}'])
    if values.aws_role_arn:
        try:
            session = assumed(session, "awsRoleArn", values.aws_role_arn, _PATIENCE)
        except RoleNotAssumedError as error:
            return Findings(problems=[str(error)])
    if wrong := _wrong_account(session, values):
        # Checks in another account would be meaningless.
        return Findings(problems=[wrong])
    questions = Questions(session=session, patience=_PATIENCE, values=values, stack=stack)
    cluster, problems = preflight_cluster.cluster(questions)
    problems += network.network(questions, cluster)
    ranges, unknown_ranges = pod_ranges.pod_ranges(questions, cluster)
    problems += unknown_ranges
    problems += regions.regions(questions)
    problems += interrupted.interrupted(questions, cluster)
    problems += zones.zones(questions)
    problems += account.others(questions)
    problems += _tools(values)
    client = session.client("secretsmanager", config=_PATIENCE)
    secrets, unreadable = secrets_manager.read(client, references, values.aws_region)
    account_facts = Facts(
        account_id=values.aws_account_id,
        partition=partition(values.aws_region),
        region=values.aws_region,
        cluster=cluster,
        pod_cidrs=ranges,
    )
    return Findings(facts=account_facts, secrets=secrets, problems=[*problems, *unreadable])


def _wrong_account(session: boto3.session.Session, values: Values) -> str | None:
    """Why these credentials do not belong to the stack's account; None if they do."""
    key = f"awsAccountId: {json.dumps(values.aws_account_id)}"
    try:
        identity = session.client("sts", config=_PATIENCE).get_caller_identity()
    except ClientError as error:
        return f"{key} cannot be used: AWS refuses the credentials: {error_text(error)}"
    except (BotoCoreError, ValueError) as error:
        return f"{key} cannot be used: {one_line(error)}; log in, or set awsProfile"
    if identity["Account"] != values.aws_account_id:
        return f"{key} is not the account of the credentials, which are {identity['Arn']}"
    return None


def _tools(values: Values) -> list[str]:
    own_kubeconfig = values.kubeconfig or values.kube_context
    if own_kubeconfig or shutil.which("aws"):
        return []
    return ["kubeContext: not set, and there is no `aws` on the PATH, which the program runs to log in to the cluster"]
