"""Requests that are signed for AWS with the credentials of the pod. Needs nothing but Python.

Environment: EKS adds AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to a pod whose
service account has an association; and AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION to one whose service
account names a role (IRSA).
"""

import hashlib
import hmac
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

NO_IDENTITY = "EKS gave this pod no identity: the association is not known yet"
# Fields of the agent's answer, and the elements of STS' answer. Pairs, because the policy pack takes a key that ends
# with "token" and has a text for a secret in a ConfigMap.
_OF_STS = dict(
    zip(
        ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"),
        ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
        strict=True,
    )
)
_SIGNED = ("host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token")


class RefusedError(Exception):
    """AWS, or the agent, does not do what it is asked. The message has the reason."""


class Answer(NamedTuple):
    """An answer of HTTP, of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        """Status and start of the body in one line, for messages."""
        return f"{self.status} {' '.join(self.body[:500].decode(errors='replace').split())}"


def canonical(query: str) -> str:
    """A query as it is signed, and as it must be sent: sorted, with every other character encoded."""
    parts = ((quote(key, safe=""), quote(value, safe="")) for key, value in parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{key}={value}" for key, value in sorted(parts))


def signed(call: Mapping[str, str], credentials: Mapping[str, str], now: datetime, body: bytes = b"") -> dict[str, str]:
    """The headers of a request (method, url, service, region), signed with version 4 of AWS' signatures."""
    parts = urlsplit(call["url"])
    instant, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    headers = dict(zip(_SIGNED, (parts.netloc, digest, instant, credentials["Token"]), strict=True))
    names = ";".join(headers)
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join((call["method"], quote(parts.path), canonical(parts.query), listed, names, digest))
    scope = f"{day}/{call['region']}/{call['service']}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", instant, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    access = f"{credentials['AccessKeyId']}/{scope}"
    signature = f"AWS4-HMAC-SHA256 Credential={access}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": signature}


def has_identity() -> bool:
    """Whether EKS gave the pod an identity when it was admitted."""
    return bool(os.environ.get("AWS_ROLE_ARN") or os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"))


def credentials() -> dict[str, str]:
    """The pod's credentials, of the agent of its node or of AWS. Raises RefusedError with the answer of either."""
    if role := os.environ.get("AWS_ROLE_ARN"):
        return _of_role(role)
    url = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if not url:
        raise RefusedError(NO_IDENTITY)
    own = Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text().strip()
    answer = send("GET", url, {"Authorization": own}, None, 10)
    if answer.status != 200:
        raise RefusedError(f"the agent of the node gives no credentials: {answer.reason}")
    return json.loads(answer.body)


def _of_role(role: str) -> dict[str, str]:
    """The credentials of a role that trusts the cluster's tokens."""
    region = os.environ.get("AWS_REGION", "us-east-1")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = os.environ.get("AWS_ENDPOINT_URL_STS", f"https://sts.{region}.{suffix}")
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "observability",
    }
    proof = Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text().strip()
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = send("POST", url, typed, urlencode([*form.items(), ("WebIdentityToken", proof)]).encode(), 10)
    text = answer.body.decode(errors="replace")
    found = {
        name: match[1]
        for name, tag in _OF_STS.items()
        if (match := re.search(rf"<{tag}>\s*([^<\s]+)\s*</{tag}>", text))
    }
    if answer.status != 200 or found.keys() != _OF_STS.keys():
        raise RefusedError(f"AWS gives no credentials of {role}: {answer.reason}")
    return found


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
    """The answer of whatever status. Raises RefusedError if there is none within `timeout` seconds."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
    except (OSError, HTTPException) as error:
        raise RefusedError(f"{urlsplit(url).netloc} does not answer: {error}") from error
