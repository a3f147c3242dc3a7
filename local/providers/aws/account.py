"""Which account, region and login; and whether that is the one that the program means."""

import os
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, cast

import boto3
from botocore import exceptions
from botocore.config import Config

from local.providers.aws.service import Service
from local.providers.errors import ProviderError
from local.providers.values import Object, mapping

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
"""Arguments of the provider that have an effect here."""


@dataclass
class Account:
    """One configured provider's access to AWS. Nothing is sent before `check` or the first call."""

    arguments: Object
    """Of the provider."""
    _services: dict[str, Service] = field(default_factory=dict[str, Service])
    _lock: Lock = field(default_factory=Lock)

    @property
    def emulated(self) -> bool:
        """Whether the environment names an endpoint, which is no account of AWS."""
        return bool(os.environ.get("AWS_ENDPOINT_URL"))

    @property
    def checked(self) -> bool:
        """Whether the login is to be checked; an offline preview skips that."""
        return not (self.arguments.get("skipCredentialsValidation") and self.arguments.get("skipRequestingAccountId"))

    @property
    def tags(self) -> Object:
        """Tags that everything gets."""
        return mapping(mapping(self.arguments.get("defaultTags")).get("tags"))

    def check(self) -> None:
        """Raise ProviderError unless AWS accepts the login and the account is one that is allowed."""
        account = str(self.service("sts").call("get_caller_identity", {})["Account"])
        allowed = [str(one) for one in cast(list[object], self.arguments.get("allowedAccountIds") or [])]
        if allowed and account not in allowed:
            raise ProviderError(
                f"the AWS login belongs to account {account}; allowed: {', '.join(allowed)}. Nothing was changed"
            )

    def service(self, name: str) -> Service:
        """The client of a service, made once."""
        with self._lock:  # boto3's session is for one thread at a time
            if name not in self._services:
                self._services[name] = Service(self._client(name))
            return self._services[name]

    def _client(self, name: str) -> Any:  # noqa: ANN401 (boto3 makes its clients' classes when it runs)
        given = {theirs: self.arguments[ours] for ours, theirs in _ARGUMENTS.items() if self.arguments.get(ours)}
        style = {"s3": {"addressing_style": "path"}} if self.arguments.get("s3UsePathStyle") or self.emulated else {}
        try:
            session = cast(Any, boto3.Session)(**given)
            return session.client(name, config=_LIMITS.merge(Config(**cast(Any, style))))
        except exceptions.BotoCoreError as error:
            raise ProviderError(f"no access to AWS: {error}") from error
