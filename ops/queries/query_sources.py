"""Runs dashboard queries on Prometheus, Loki and Jaeger, and counts the results."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx

from ops.clients.certificates import certificates
from ops.clients.kube import is_forward
from ops.queries.grafana_interpolation import Window
from ops.queries.grafana_variables import Lookup

TIMEOUT = 30.0
"""Seconds for one answer; Grafana's default timeout."""
# Line limit of a query: a few lines suffice to see that there are any.
_LINES = 10
# A stream selector without a pipeline. Other expressions are run as queries for lines.
_STREAMS = re.compile(r"\{[^{}]*\}")

Json = Any


class QueryError(Exception):
    """A query was rejected, or not answered in time; the text is the server's message."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query whose variables are replaced."""

    expression: str
    """For Jaeger: `service=…&operation=…` for a search, or a trace id."""
    step: float
    """Seconds between two points."""
    instant: bool = False


class Source(ABC):
    """One data source over HTTP. Safe to use from several threads; must be closed."""

    def __init__(self, title: str, url: str) -> None:
        """`title` is the source's name in error messages."""
        self.title = title
        self.url = url.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT, verify=certificates(), trust_env=not is_forward(url))

    def close(self) -> None:
        """Close the connections, which cancels running queries."""
        self._http.close()

    @abstractmethod
    def rows(self, question: Question, window: Window) -> int:
        """Number of series, streams or traces with at least one value. Raises QueryError."""

    @abstractmethod
    def values(self, lookup: Lookup, window: Window) -> list[str]:
        """The values that a variable's query returns. Raises QueryError."""

    @abstractmethod
    def has_data(self, selector: str, window: Window) -> bool:
        """Whether the selector matches any data within the window. Raises QueryError."""

    def last_buckets(self, selector: str, window: Window) -> dict[str, float]:  # noqa: ARG002 -- only Prometheus has histograms
        """Program -> end of the last finite bucket of its selected histograms. Raises QueryError."""
        return {}

    def get(self, path: str, parameters: Mapping[str, str], *, post: bool = False) -> Json:
        """The JSON answer. Raises QueryError."""
        try:
            if post:
                answer = self._http.post(self.url + path, data=dict(parameters))
            else:
                answer = self._http.get(self.url + path, params=dict(parameters))
        except httpx.TimeoutException as error:
            raise QueryError(f"no answer within {TIMEOUT:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise QueryError(f"{self.title} at {self.url} cannot be reached: {error}") from error
        try:
            document = answer.json()
        except ValueError as error:
            raise QueryError(f"{answer.status_code} {answer.text.strip()[:300]}") from error
        if answer.is_error:
            text = document.get("error") or document.get("message") if isinstance(document, dict) else None
            raise QueryError(str(text or answer.text.strip()[:300]))
        return document


class PrometheusSource(Source):
    """Runs PromQL queries."""

    def __init__(self, url: str) -> None:
        """`url` of any replica, or of the service in front of them."""
        super().__init__("Prometheus", url)

    def rows(self, question: Question, window: Window) -> int:
        """Number of series with a number; a series that is always NaN shows nothing."""
        if question.instant:
            asked = {"query": question.expression, "time": f"{window.end:.3f}"}
            return _with_numbers(self.get("/api/v1/query", asked, post=True)["data"])
        asked = {"query": question.expression, **_range(window), "step": f"{question.step:g}"}
        return _with_numbers(self.get("/api/v1/query_range", asked, post=True)["data"])

    def values(self, lookup: Lookup, window: Window) -> list[str]:
        """The values that Grafana's query variables of Prometheus have."""
        match = {"match[]": lookup.argument} if lookup.argument else {}
        if lookup.kind == "label_names":
            return self.get("/api/v1/labels", _range(window))["data"]
        if lookup.kind == "label_values":
            return self.get(f"/api/v1/label/{lookup.label}/values", {**match, **_range(window)})["data"]
        if lookup.kind == "metrics":
            names = self.get("/api/v1/label/__name__/values", _range(window))["data"]
            return [name for name in names if re.search(lookup.argument, name)]
        if lookup.kind == "series":
            found = self.get("/api/v1/series", {**match, **_range(window)})["data"]
            return sorted({_series_text(one) for one in found})
        answer = self.get("/api/v1/query", {"query": lookup.argument, "time": f"{window.end:.3f}"})["data"]
        return _results_text(answer)

    def has_data(self, selector: str, window: Window) -> bool:
        """Whether a matching series had a sample."""
        return bool(self.get("/api/v1/series", {"match[]": selector, **_range(window), "limit": "1"})["data"])

    def last_buckets(self, selector: str, window: Window) -> dict[str, float]:
        """App and namespace -> the largest `le` below +Inf; programs without a finite bucket are left out."""
        asked = {"query": f"count by (namespace, app, le) ({selector})", "time": f"{window.end:.3f}"}
        found: dict[str, float] = {}
        for one in self.get("/api/v1/query", asked, post=True)["data"]["result"]:
            labels = one["metric"]
            program = f"{labels.get('app', 'a program')} (namespace {labels.get('namespace', '')})"
            bound = float(labels.get("le", "inf"))
            if math.isfinite(bound):
                found[program] = max(bound, found.get(program, 0.0))
        return found


class LokiSource(Source):
    """Runs LogQL queries."""

    def __init__(self, url: str) -> None:
        """`url` of any replica, or of the service in front of them."""
        super().__init__("Loki", url)

    def rows(self, question: Question, window: Window) -> int:
        """Number of streams with a line, or of series with a number."""
        asked = {"query": question.expression, "limit": str(_LINES)}
        if question.instant:
            at = {"time": str(round(window.end * 1e9))}
            return _with_numbers(self.get("/loki/api/v1/query", asked | at)["data"])
        step = {"step": f"{max(question.step, 1):g}s"}
        return _with_numbers(self.get("/loki/api/v1/query_range", asked | _nanoseconds(window) | step)["data"])

    def values(self, lookup: Lookup, window: Window) -> list[str]:
        """The values that Grafana's query variables of Loki have."""
        if lookup.kind == "label_names":
            return self.get("/loki/api/v1/labels", _nanoseconds(window)).get("data") or []
        if lookup.kind != "label_values":
            raise QueryError(f"Loki does not support {lookup.kind}; allowed: label_names() and label_values(…)")
        match = {"query": lookup.argument} if lookup.argument else {}
        answer = self.get(f"/loki/api/v1/label/{lookup.label}/values", {**match, **_nanoseconds(window)})
        return answer.get("data") or []

    def has_data(self, selector: str, window: Window) -> bool:
        """Whether a stream had a line; with a pipeline, whether a line passes it."""
        if not _STREAMS.fullmatch(selector):
            return self.rows(Question(expression=selector, step=1), window) > 0
        return bool(self.get("/loki/api/v1/series", {"match[]": selector, **_nanoseconds(window)}).get("data"))


class JaegerSource(Source):
    """Searches for traces."""

    def __init__(self, url: str) -> None:
        """`url` of the query service."""
        super().__init__("Jaeger", url)

    def rows(self, question: Question, window: Window) -> int:
        """Number of traces, at most 20."""
        if "=" not in question.expression:
            return len(self.get(f"/api/traces/{quote(question.expression, safe='')}", {}).get("data") or [])
        asked = dict(part.split("=", 1) for part in question.expression.split("&"))
        times = {"start": str(round(window.start * 1e6)), "end": str(round(window.end * 1e6)), "limit": "20"}
        return len(self.get("/api/traces", asked | times).get("data") or [])

    def values(self, lookup: Lookup, window: Window) -> list[str]:
        """Raises QueryError: Jaeger has no query variables."""
        raise QueryError(f"Jaeger does not support variables ({lookup.kind} in {window.length:g} s)")

    def has_data(self, selector: str, window: Window) -> bool:
        """Whether the service has traces."""
        return self.rows(Question(expression=f"service={selector}", step=1), window) > 0


SOURCES: Mapping[str, Callable[[str], Source]] = {
    "prometheus": PrometheusSource,
    "loki": LokiSource,
    "jaeger": JaegerSource,
}
"""Maps Grafana's plugin id to a client class, which is created with a URL."""


def _range(window: Window) -> dict[str, str]:
    return {"start": f"{window.start:.3f}", "end": f"{window.end:.3f}"}


def _nanoseconds(window: Window) -> dict[str, str]:
    return {"start": str(round(window.start * 1e9)), "end": str(round(window.end * 1e9))}


def _with_numbers(data: Json) -> int:
    """Series with at least one number; streams with at least one line."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return 1
    if kind == "streams":
        return sum(1 for one in result if one["values"])
    return sum(1 for one in result if _has_number(one))


def _has_number(series: Json) -> bool:
    # Native histograms have their own keys and are never NaN as a whole.
    if series.get("histogram") or series.get("histograms"):
        return True
    points = cast(Sequence[tuple[float, str]], series.get("values") or [series["value"]])
    return any(not math.isnan(float(value)) for _, value in points)


def _series_text(labels: Mapping[str, str]) -> str:
    rest = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"


def _results_text(data: Json) -> list[str]:
    if data["resultType"] in ("scalar", "string"):
        return [str(data["result"][1])]
    return [
        f"{_series_text(one['metric'])} {one['value'][1]} {round(float(one['value'][0]) * 1000)}"
        for one in data["result"]
    ]
