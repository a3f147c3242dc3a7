"""Secrets that stand in AWS Secrets Manager: `aws-secret:NAME`, `aws-secret:ARN`, or either with `#KEY` of its JSON."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

PREFIX = "aws-secret:"
ALLOWED = "aws-secret:NAME or aws-secret:ARN, where wanted with #KEY of the secret's JSON"
_FORM = re.compile(r"aws-secret:(?P<secret>(?!arn:)[\w/+=.@-]{1,512}|arn:[\w:/+=.@-]{1,2048})(#(?P<key>[^#\s]+))?")


class SecretNotReadableError(Exception):
    """Why a secret's value cannot be had."""


@dataclass(frozen=True)
class Reference:
    """One secret, or one key of its JSON."""

    secret: str
    """Name or ARN."""
    key: str = ""
    """Empty for the whole text."""


class SecretValues(Protocol):
    """The one call of a Secrets Manager client that is needed."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]: ...  # noqa: N803  (the SDK's name)


def find(raw: Mapping[str, str], keys: Collection[str]) -> tuple[dict[str, Reference], list[str]]:
    """Config key -> reference, for those of `keys` that hold one; and a line for each that is malformed."""
    found: dict[str, Reference] = {}
    problems: list[str] = []
    for key in keys:
        text = raw.get(key, "")
        if not text.startswith(PREFIX):
            continue
        if match := _FORM.fullmatch(text):
            found[key] = Reference(match["secret"], match["key"] or "")
        else:
            problems.append(f"{key}: {json.dumps(text)} is not allowed; allowed: {ALLOWED}")
    return found, problems


def stand_in(form: str, key: str) -> str:
    """A value of the right form that is no secret and leads nowhere, for a reference that is not read."""
    return {
        "url": f"https://offline.invalid/{key}",
        "token": "0" * 32,
        "address": "offline@offline.invalid",
    }.get(form, "Offline-preview-1")


def read(client: SecretValues, references: Mapping[str, Reference], region: str) -> tuple[dict[str, str], list[str]]:
    """Config key -> value, and a line for each reference that cannot be read. Each secret is asked for once."""
    texts: dict[str, str | SecretNotReadableError] = {}
    values: dict[str, str] = {}
    problems: list[str] = []
    for key, reference in references.items():
        try:
            values[key] = _value(client, reference, region, texts)
        except SecretNotReadableError as error:
            shown = f"#{reference.key}" if reference.key else ""
            problems.append(f"{key}: {PREFIX}{reference.secret}{shown} cannot be read: {error}")
    return values, problems


def _value(
    client: SecretValues, reference: Reference, region: str, texts: dict[str, str | SecretNotReadableError]
) -> str:
    if reference.secret not in texts:
        try:
            texts[reference.secret] = _text(client, reference.secret, region)
        except SecretNotReadableError as error:
            texts[reference.secret] = error
    text = texts[reference.secret]
    if isinstance(text, SecretNotReadableError):
        raise text
    return _member(text, reference.key) if reference.key else text


def _text(client: SecretValues, secret: str, region: str) -> str:
    if secret.startswith("arn:") and secret.split(":")[3] != region:
        raise SecretNotReadableError(f"it is in {secret.split(':')[3]}; allowed: a secret in awsRegion {region}")
    try:
        text = client.get_secret_value(SecretId=secret).get("SecretString")
    except ClientError as error:
        raise SecretNotReadableError(told(error)) from error
    except BotoCoreError as error:
        raise SecretNotReadableError(" ".join(str(error).split())) from error
    if not isinstance(text, str) or not text:
        raise SecretNotReadableError("it holds no text")
    return text


def told(error: ClientError) -> str:
    """AWS' code and message on one line."""
    said = error.response.get("Error", {})
    return " ".join(f"{said.get('Code', 'Unknown')}: {said.get('Message', '')}".split()).rstrip(".: ")


def _member(text: str, key: str) -> str:
    # The errors of the JSON reader quote what they read, which is a secret.
    try:
        document: object = json.loads(text)
    except ValueError:
        raise SecretNotReadableError("it is no JSON object") from None
    if not isinstance(document, dict):
        raise SecretNotReadableError("it is no JSON object")
    value: object = document.get(key)
    if not isinstance(value, str) or not value:
        has = ", ".join(_keys(document)) or "none"
        raise SecretNotReadableError(f"its JSON has no text under {key!r}; it has {has}")
    return value


def _keys(document: Mapping[object, object]) -> Iterator[str]:
    return (str(key) for key, value in document.items() if isinstance(value, str))
