"""Types of plain values that several keys share, and the texts that describe their allowed values in messages."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

URL = "an http or https URL without login, query and fragment"
HTTPS = "an https URL without login, query and fragment"
BACKEND_URL = HTTPS + "; http only for a host inside the cluster (ends in .svc)"


def _url(text: str) -> str:
    # A login would end up in ConfigMaps and in the state. urlsplit itself rejects an invalid port or address.
    parts = urlsplit(text)
    fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    if not fits or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"\s", text):
        raise ValueError(URL)
    return text


def _backend_url(text: str) -> str:
    parts = urlsplit(_url(text))
    if parts.scheme == "http" and not str(parts.hostname).endswith(".svc"):
        raise ValueError(BACKEND_URL)
    return text


def _https_url(text: str) -> str:
    if not _url(text).startswith("https://"):
        raise ValueError(HTTPS)
    return text


def _optional(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda text: check(text) if text else text)


HttpUrl = Annotated[str, AfterValidator(_url)]
OptionalHttpUrl = Annotated[str, _optional(_url)]
OptionalHttpsUrl = Annotated[str, _optional(_https_url)]
BackendUrl = Annotated[str, AfterValidator(_backend_url)]
OptionalBackendUrl = Annotated[str, _optional(_backend_url)]
DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
BucketName = Annotated[str, Field(pattern=r"^([a-z0-9](-?\.?[a-z0-9]|--){1,61}[a-z0-9])?$")]
"""The name of an S3 bucket, or an empty text."""
METRIC_NAMES = (
    "a regular expression of letters, digits and any of _:.*+?|()[]-, which the whole name of a metric must match, "
    "such as slo:.+|traces_.+; only with remoteWriteUrl or managedPrometheus"
)


def _metric_names(text: str) -> str:
    # Only what Python and Prometheus read alike: no flags, no look-ahead, no possessive repetition.
    if not re.fullmatch(r"[\w:.*+?|()\[\]-]*", text, re.ASCII) or re.search(r"\(\?|[*+?]{2}", text):
        raise ValueError(METRIC_NAMES)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(str(error)) from None
    return text


MetricNames = Annotated[str, AfterValidator(_metric_names)]
"""A regular expression of metric names, or an empty text."""


def quantity(example: str, *, least: str) -> Any:  # noqa: ANN401
    """A field for a Kubernetes quantity."""
    return allowed(f"a Kubernetes quantity of at least {least}, such as {example}")


def allowed(text: str) -> Any:  # noqa: ANN401  (pydantic's own Field is untyped here, too)
    """A field whose error message ends with this text."""
    return Field(description=text)
