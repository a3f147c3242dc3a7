"""The calls by which a Job proves a role's permissions: one for each use, harmless, and signed as the workload signs.

AWS answers 403 to whoever may not do what is asked, before it looks at the request. Other answers prove the permission.
"""

from collections.abc import Sequence
from typing import TypedDict

_OBJECT = "observability-identity-check"


class Call(TypedDict):
    """A signed request, and the answers that prove the permission for it."""

    proves: str
    """What the identity may do if the answer is one of `accepts`."""
    service: str
    """Name of the service in signatures."""
    region: str
    method: str
    url: str
    accepts: Sequence[int]
    """Statuses of HTTP."""


def buckets(names: Sequence[str], region: str, suffix: str) -> list[Call]:
    """Listing, and writing, reading and deleting an object, which also proves the use of the bucket's key."""
    found: list[Call] = []
    for name in names:
        bucket = f"https://s3.{region}.{suffix}/{name}"
        s3 = {"service": "s3", "region": region}
        one = f"{bucket}/{_OBJECT}"
        found += [
            {
                **s3,
                "proves": f"list {name}",
                "method": "GET",
                "url": f"{bucket}?list-type=2&max-keys=1",
                "accepts": [200],
            },
            {**s3, "proves": f"write to {name}", "method": "PUT", "url": one, "accepts": [200]},
            {**s3, "proves": f"read from {name}", "method": "GET", "url": one, "accepts": [200]},
            {**s3, "proves": f"remove from {name}", "method": "DELETE", "url": one, "accepts": [204]},
        ]
    return found


def remote_write(url: str, region: str) -> list[Call]:
    """Writing no samples to Amazon Managed Prometheus, which it refuses as an empty request."""
    return [
        {
            "proves": "write samples",
            "service": "aps",
            "region": region,
            "method": "POST",
            "url": url,
            "accepts": [200, 204, 400],
        }
    ]


def query(remote_write_url: str, region: str) -> list[Call]:
    """Asking Amazon Managed Prometheus for a constant."""
    url = f"{remote_write_url.removesuffix('remote_write')}query?query=1"
    return [
        {"proves": "query metrics", "service": "aps", "region": region, "method": "GET", "url": url, "accepts": [200]}
    ]


def xray(region: str, suffix: str) -> list[Call]:
    """Sending no spans to X-Ray's OTLP endpoint."""
    url = f"https://xray.{region}.{suffix}/v1/traces"
    return [
        {
            "proves": "send traces",
            "service": "xray",
            "region": region,
            "method": "POST",
            "url": url,
            "accepts": [200, 400],
        }
    ]
