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

    def call(proves: str, method: str, url: str, accepts: int) -> Call:
        return {
            "proves": proves,
            "service": "s3",
            "region": region,
            "method": method,
            "url": url,
            "accepts": [accepts],
        }

    found: list[Call] = []
    for name in names:
        bucket = f"https://s3.{region}.{suffix}/{name}"
        found += [
            call(f"list {name}", "GET", f"{bucket}?list-type=2&max-keys=1", 200),
            call(f"write to {name}", "PUT", f"{bucket}/{_OBJECT}", 200),
            call(f"read from {name}", "GET", f"{bucket}/{_OBJECT}", 200),
            call(f"remove from {name}", "DELETE", f"{bucket}/{_OBJECT}", 204),
        ]
    return found


def workspace(url: str, region: str) -> list[Call]:
    """Writing no samples to the remote write URL of Amazon Managed Prometheus, which refuses that, and queries."""

    def call(proves: str, method: str, url: str, *accepts: int) -> Call:
        return {
            "proves": proves,
            "service": "aps",
            "region": region,
            "method": method,
            "url": url,
            "accepts": accepts,
        }

    api = url.removesuffix("/remote_write")
    return [
        call("write samples", "POST", url, 200, 204, 400),
        call("query samples", "GET", f"{api}/query?query=1", 200),
        call("list labels", "GET", f"{api}/labels?match%5B%5D=up", 200),
        call("list series", "GET", f"{api}/series?match%5B%5D=up", 200),
        call("read metadata", "GET", f"{api}/metadata?limit=1", 200),
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
