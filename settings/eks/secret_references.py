"""References to secrets in AWS Secrets Manager: `aws-secret:NAME` or `aws-secret:ARN`, each optionally with `#KEY`."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

PREFIX = "aws-secret:"
ALLOWED = "aws-secret:NAME or aws-secret:ARN, optionally with #KEY of the secret's JSON"
_FORM = re.compile(r"aws-secret:(?P<secret>(?!arn:)[\w/+=.@-]{1,512}|arn:[\w:/+=.@-]{1,2048})(#(?P<key>[^#\s]+))?")


@dataclass(frozen=True)
class Reference:
    """A secret, or one key of its JSON."""

    secret: str
    """Name or ARN."""
    key: str = ""
    """Empty for the whole text of the secret."""


def find(raw: Mapping[str, str], keys: Collection[str]) -> tuple[dict[str, Reference], list[str]]:
    """Config key -> reference, for all of `keys` that hold one. Also returns one line for each malformed reference."""
    references: dict[str, Reference] = {}
    problems: list[str] = []
    for key in keys:
        text = raw.get(key, "")
        if not text.startswith(PREFIX):
            continue
        if match := _FORM.fullmatch(text):
            references[key] = Reference(match["secret"], match["key"] or "")
        else:
            problems.append(f"{key}: {json.dumps(text)} is not allowed; allowed: {ALLOWED}")
    return references, problems


def placeholder(form: str, key: str) -> str:
    """A well-formed value for an unread reference. It is not a secret, and its address does not exist."""
    return {
        "url": f"https://offline.invalid/{key}",
        "token": "0" * 32,
        "address": "offline@offline.invalid",
        "mention": "here",
    }.get(form, "Offline-preview-1")
