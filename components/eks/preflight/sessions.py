"""Sessions with the roles that the settings name."""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.eks import aws_provider
from components.eks.preflight.secrets_manager import error_text


class RoleNotAssumedError(Exception):
    """The message is the problem's line, which starts with a key."""


def assumed(session: boto3.session.Session, key: str, role_arn: str, patience: Config) -> boto3.session.Session:
    """A session with the role of a setting, in the same region. The provider of AWS assumes it in the same way.

    Raises RoleNotAssumedError if the role does not exist, or does not admit the session's identity.
    """
    try:
        answer = session.client("sts", config=patience).assume_role(
            RoleArn=role_arn, RoleSessionName=aws_provider.MANAGED_BY
        )
    except (ClientError, BotoCoreError) as error:
        reason = error_text(error) if isinstance(error, ClientError) else one_line(error)
        raise RoleNotAssumedError(f"{key}: {json.dumps(role_arn)} cannot be assumed: {reason}") from None
    credentials = answer["Credentials"]
    return boto3.session.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=session.region_name,
    )


def one_line(error: Exception) -> str:
    """The message of an error that is not an answer of AWS."""
    return " ".join(str(error).split()).rstrip(".")
