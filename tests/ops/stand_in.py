"""A fake of Prometheus and Loki with prepared answers, for tests in which the exact bytes matter."""

import json
import threading
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ops.queries.dashboard_queries import DashboardQueries, parse
from tools.http_server import Handler, serving


class StandIn:
    """An HTTP server that gives prepared answers and records the queries."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.series: dict[str, list[Any]] | None = None
        """Maps a selector to the series that Prometheus' series API finds; it finds none for other selectors.

        None: the series API has one prepared answer for all selectors.
        """
        self.queries: list[tuple[str, dict[str, list[str]]]] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Prepared(Handler):
            def respond(self) -> None:
                outer._answer(self, self.body().decode() or urlsplit(self.path).query)

        self._running = ExitStack()
        self.url = self._running.enter_context(serving(Prepared))

    def close(self) -> None:
        self._running.close()

    def _answer(self, handler: Handler, query: str) -> None:
        path = urlsplit(handler.path).path
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.queries.append((path, parse_qs(query)))
        time.sleep(0.02)  # long enough for queries to overlap
        if self.series is not None and path == "/api/v1/series":
            self.answers[path] = (200, {"data": self.series.get(parse_qs(query)["match[]"][0], [])})
        status, body = self.answers.get(path, (404, {"error": f"no {path} here"}))
        text = body if isinstance(body, str) else json.dumps(body)
        with self._lock:
            self._now -= 1  # before the client can send its next query
        handler.answer(status, text.encode())


def result(kind: str, *series: Any) -> tuple[int, Any]:
    return 200, {"status": "success", "data": {"resultType": kind, "result": list(series)}}


def panel(title: str, *expressions: str, source: str = "prometheus", **target: Any) -> dict[str, Any]:
    named = {"type": source, "uid": f"${{{source}}}"}
    targets = [{"refId": "ABC"[n], "expr": text, "datasource": named, **target} for n, text in enumerate(expressions)]
    return {"title": title, "type": "timeseries", "datasource": named, "targets": targets}


def dashboard(*panels: dict[str, Any], variables: list[dict[str, Any]] | None = None) -> DashboardQueries:
    source = {"name": "prometheus", "type": "datasource", "query": "prometheus", "current": {"value": "prometheus"}}
    return parse(
        {"uid": "d", "title": "D", "panels": list(panels), "templating": {"list": [source, *(variables or [])]}}
    )
