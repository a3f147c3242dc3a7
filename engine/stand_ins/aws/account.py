"""Account, region and login of the `aws` provider."""

from dataclasses import dataclass
from typing import Any, cast

import boto3
from botocore import exceptions
from botocore.config import Config

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.values import Object, mapping

# Seconds, and attempts: a login that cannot be checked must not hold a preview up.
_LIMITS = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 4, "mode": "standard"})
_ARGUMENTS = {
    "accessKey": "aws_access_key_id",
    "secretKey": "aws_secret_access_key",
    "token": "aws_session_token",
    "profile": "profile_name",
    "region": "region_name",
}
SUPPORTED = frozenset(
    {
        *_ARGUMENTS,
        "allowedAccountIds",
        "defaultTags",
        "skipCredentialsValidation",
        "skipRequestingAccountId",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "s3UsePathStyle",
    }
)
"""Arguments of the provider that are accepted."""


@dataclass(frozen=True)
class Account:
    """Access to AWS with the arguments of one configured provider. Only `check` sends a request."""

    arguments: Object

    @property
    def checked(self) -> bool:
        """Whether the login must be checked; an offline preview skips the check."""
        return not (self.arguments.get("skipCredentialsValidation") and self.arguments.get("skipRequestingAccountId"))

    def check(self) -> None:
        """Raises ProviderError unless AWS accepts the login and its account is allowed. Blocks."""
        account = self._account_id()
        allowed = [str(item) for item in cast(list[object], self.arguments.get("allowedAccountIds") or [])]
        if allowed and account not in allowed:
            raise ProviderError(
                f"the AWS login belongs to account {account}; allowed: {', '.join(allowed)}. Nothing was changed"
            )

    def _account_id(self) -> str:
        given = {theirs: self.arguments[ours] for ours, theirs in _ARGUMENTS.items() if self.arguments.get(ours)}
        try:
            client = cast(Any, boto3.Session)(**given).client("sts", config=_LIMITS)
        except exceptions.BotoCoreError as error:
            raise ProviderError(f"no access to AWS: {error}") from error
        try:
            return str(client.get_caller_identity()["Account"])
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            answer = mapping(mapping(getattr(error, "response", None)).get("Error"))
            reason = f"{answer['Code']}: {answer.get('Message', '')}" if answer.get("Code") else str(error)
            raise ProviderError(f"sts get_caller_identity at {client.meta.endpoint_url}: {reason}") from error
