"""A cluster with monitors, and its API server, which answers in pages, late, wrongly or not at all."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVICES, PODS = "servicemonitors", "podmonitors"


def monitor(name: str, namespace: str = "shop", **endpoint: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"endpoints": [endpoint], "podMetricsEndpoints": [endpoint]},
    }


class Cluster:
    """Its monitors, and how its API server answers."""

    def __init__(self) -> None:
        self.monitors: dict[str, list[Any] | None] = {SERVICES: [], PODS: []}
        self.status = 200
        self.body: bytes | None = None
        self.tokens: list[str] = []
        self.limits: list[int] = []
        self.wait = 0.0
        self.url = ""

    def answer(self, path: str, token: str) -> tuple[int, bytes]:
        self.tokens.append(token)
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        items = self.monitors[parts.path.removeprefix("/apis/monitoring.coreos.com/v1/")]
        if items is None:
            return 404, b"404 page not found\n"
        if self.status != 200 or self.body is not None:
            return self.status, b"{}" if self.body is None else self.body
        first, limit = int(query.get("continue", "0")), int(query["limit"])
        self.limits.append(limit)
        more = {"continue": str(first + limit)} if first + limit < len(items) else {}
        return 200, json.dumps({"metadata": more, "items": items[first : first + limit]}).encode()
