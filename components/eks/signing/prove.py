"""Runs in a pod: gets the pod's AWS credentials, and makes each call once with them.

It exits with 1 and the reason if the pod has no credentials, or a call is refused. Environment: CALLS has the calls as
JSON, see calls.py; and that of aws_request.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from . import aws_request

# A new role's permissions reach AWS' servers within seconds.
ATTEMPTS = 12
PAUSE_SECONDS = 5
TIMEOUT_SECONDS = 10


def make(call: Mapping[str, object], credentials: Mapping[str, str]) -> None:
    """Makes a call. Raises RefusedError with AWS' answer unless it proves the permission."""
    texts = {key: str(value) for key, value in call.items()}
    now = datetime.now(timezone.utc)  # noqa: UP017  (the name that Python 3.10 knows, too)
    body = b"" if texts["method"] in ("POST", "PUT") else None
    headers = aws_request.signed(texts, credentials, now)
    if body is not None:  # without a type, urllib claims that the body is a form
        headers["content-type"] = "application/x-protobuf"
    answer = aws_request.send(texts["method"], texts["url"], headers, body, TIMEOUT_SECONDS)
    if answer.status not in call["accepts"]:  # pyright: ignore[reportOperatorIssue]
        raise aws_request.RefusedError(f"the identity may not {texts['proves']}: {answer.reason}")


def patiently(action: Callable[[], dict[str, str] | None]) -> dict[str, str] | None:
    """Repeats what is refused. Raises the last refusal."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except aws_request.RefusedError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE_SECONDS)
    return None


def main() -> None:
    """Proves the identity, or exits with 1."""
    if not aws_request.has_identity():
        sys.exit(aws_request.NO_IDENTITY)
    try:
        own = patiently(aws_request.credentials) or {}
        for call in json.loads(os.environ["CALLS"]):
            patiently(lambda call=call: make(call, own))
            print(f"the identity may {call['proves']}")  # noqa: T201
    except aws_request.RefusedError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
