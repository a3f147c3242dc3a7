"""Types of plain values that several keys share, and the texts that describe their allowed values in messages."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

URL = "an http or https URL without login, query and fragment"
HTTPS = "an https URL without login, query and fragment"
BACKEND_URL = HTTPS + "; http only for a host inside the cluster (ends in .svc)"


# The characters of a URL, without those that mean something where it is written: `$` and braces in Kubernetes, Loki
# and templates, `;` in grafana.ini. Go refuses a `%` without two digits, also in a host.
_WRITTEN = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?"
    r"(/([A-Za-z0-9_.~!&'()*+,=:@/-]|%[0-9A-Fa-f]{2})*)?"
)
PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
"""Pattern of a port."""
_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_ATOM, _HOST = r"[A-Za-z0-9!#$%&'*+/=?^_`|~-]+", r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
Smarthost = Annotated[str, Field(pattern=rf"^({_HOST}(\.{_HOST})*:{PORT})?$")]
"""Name of a host, and a port; or an empty text."""
MAILBOX = rf"{_ATOM}(\.{_ATOM})*@{_HOST}(\.{_HOST})+"
"""Pattern of an e-mail address as Alertmanager takes it."""
OptionalMailbox = Annotated[str, Field(pattern=rf"^({MAILBOX})?$")]
LabelName = Annotated[str, Field(pattern=rf"^({_NAME}(\.{_NAME})*/)?{_LABEL}$", max_length=317)]
"""Name of a label of Kubernetes; before a slash, it may have a host name of at most 253 characters."""
LabelValue = Annotated[str, Field(pattern=rf"^({_LABEL})?$")]
"""Value of a label of Kubernetes."""
OBJECT_NAME = rf"^({_NAME}(\.{_NAME})*)?$"
"""Pattern of the name of an object of Kubernetes, or of an empty text. It has at most 253 characters."""


def _url(text: str) -> str:
    # A login would end up in ConfigMaps and in the state. urlsplit itself rejects an invalid port or address.
    parts = urlsplit(text)
    if not _WRITTEN.fullmatch(text) or parts.port == 0:
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
