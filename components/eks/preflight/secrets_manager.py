"""Reads secrets from AWS Secrets Manager."""

import json
from collections.abc import Iterator, Mapping
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from settings.eks.secret_references import PREFIX, Reference


class SecretNotReadableError(Exception):
    """A secret's value cannot be read. The message contains the reason."""


class SecretValues(Protocol):
    """The part of a Secrets Manager client that this module uses."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]: ...  # noqa: N803  (the SDK's name)


def read(client: SecretValues, references: Mapping[str, Reference], region: str) -> tuple[dict[str, str], list[str]]:
    """Config key -> value. Also returns one line for each unreadable reference. Requests each secret only once."""
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
        raise SecretNotReadableError(error_text(error)) from error
    except BotoCoreError as error:
        raise SecretNotReadableError(" ".join(str(error).split())) from error
    if not isinstance(text, str) or not text:
        raise SecretNotReadableError("it contains no text")
    return text


def error_text(error: ClientError) -> str:
    """Code and message of AWS on one line."""
    details = error.response.get("Error", {})
    return " ".join(f"{details.get('Code', 'Unknown')}: {details.get('Message', '')}".split()).rstrip(".: ")


def _member(text: str, key: str) -> str:
    # The JSON parser's exceptions contain the parsed text, which is secret, and so must not be chained.
    try:
        document: object = json.loads(text)
    except ValueError:
        raise SecretNotReadableError("it is not a JSON object") from None
    if not isinstance(document, dict):
        raise SecretNotReadableError("it is not a JSON object")
    value: object = document.get(key)
    if not isinstance(value, str) or not value:
        available = ", ".join(_keys(document)) or "none"
        raise SecretNotReadableError(f"its JSON has no text under {key!r}; available keys: {available}")
    return value


def _keys(document: Mapping[object, object]) -> Iterator[str]:
    return (str(key) for key, value in document.items() if isinstance(value, str))
