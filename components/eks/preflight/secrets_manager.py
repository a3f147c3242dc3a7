"""Reads secrets from AWS Secrets Manager."""

import json
from collections.abc import Iterator, Mapping
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from settings.eks.secret_references import PREFIX, Reference


class SecretNotReadableError(Exception):
    """Why a secret's value cannot be had."""


class SecretValues(Protocol):
    """The one call of a Secrets Manager client that is needed."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]: ...  # noqa: N803  (the SDK's name)


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
