"""Runs in a pod: gets the pod's AWS credentials from the agent of its node, and makes each call once with them.

It needs nothing but Python. It exits with 1 and the reason if the pod has no credentials, or a call is refused.

Environment: CALLS has the calls as JSON, see calls.py. EKS adds AWS_CONTAINER_CREDENTIALS_FULL_URI and
AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to a pod whose service account has an association.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

# A new role's permissions reach AWS' servers within seconds.
ATTEMPTS = 12
PAUSE_SECONDS = 5
TIMEOUT_SECONDS = 10
_SIGNED = ("host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token")


class RefusedError(Exception):
    """AWS, or the agent, does not do what it is asked. The message has the reason."""


def signed(call: Mapping[str, str], credentials: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The headers of a request without body, signed with version 4 of AWS' signatures."""
    parts = urlsplit(call["url"])
    instant, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(b"").hexdigest()
    headers = dict(zip(_SIGNED, (parts.netloc, digest, instant, credentials["Token"]), strict=True))
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(parse_qsl(parts.query)))
    names = ";".join(headers)
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = "\n".join((call["method"], quote(parts.path), query, listed, names, digest))
    scope = f"{day}/{call['region']}/{call['service']}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", instant, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    access = f"{credentials['AccessKeyId']}/{scope}"
    signature = f"AWS4-HMAC-SHA256 Credential={access}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": signature}


def credentials() -> dict[str, str]:
    """The pod's credentials. Raises RefusedError with the agent's answer."""
    url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    own = Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text().strip()
    status, body = send("GET", url, {"Authorization": own})
    if status != 200:
        raise RefusedError(f"the agent of the node gives no credentials: {status} {body}")
    return json.loads(body)


def make(call: Mapping[str, object], credentials: Mapping[str, str]) -> None:
    """Makes a call. Raises RefusedError with AWS' answer unless it proves the permission."""
    texts = {key: str(value) for key, value in call.items()}
    now = datetime.now(timezone.utc)  # noqa: UP017  (the name that Python 3.10 knows, too)
    status, body = send(texts["method"], texts["url"], signed(texts, credentials, now))
    if status not in call["accepts"]:  # pyright: ignore[reportOperatorIssue]
        raise RefusedError(f"the identity may not {texts['proves']}: {status} {body}")


def send(method: str, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and start of the body. Raises RefusedError if nobody answers."""
    data = b"" if method in ("POST", "PUT") else None
    # Without a type, urllib claims that the body is a form.
    typed = {"Content-Type": "application/x-protobuf", **headers} if data is not None else dict(headers)
    request = urllib.request.Request(url, data=data, headers=typed, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, " ".join(error.read(500).decode(errors="replace").split())
    except OSError as error:
        raise RefusedError(f"{urlsplit(url).netloc} does not answer: {error}") from error


def patiently(action: Callable[[], dict[str, str] | None]) -> dict[str, str] | None:
    """Repeats what is refused. Raises the last refusal."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except RefusedError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE_SECONDS)
    return None


def main() -> None:
    """Proves the identity, or exits with 1."""
    if not os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        sys.exit("EKS gave this pod no identity: the association is not known yet")
    try:
        own = patiently(credentials) or {}
        for call in json.loads(os.environ["CALLS"]):
            patiently(lambda call=call: make(call, own))
            print(f"the identity may {call['proves']}")  # noqa: T201
    except RefusedError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
