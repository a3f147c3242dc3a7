"""The plain values of a stack: which keys there are, what each may be, and which do not fit together."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from components.collector_agent_config import gateway_queue_bytes
from components.loki_config import RETENTION_ALLOWED, retention_problem
from components.quantities import Quantity, at_least, quantity_bytes
from rules.durations import Duration, PositiveDuration, seconds
from rules.routing import Timing

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


def _url(text: str) -> str:
    # A login would end up in ConfigMaps and in the state; urlsplit itself refuses a bad port or address.
    parts = urlsplit(text)
    fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    if not fits or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"\s", text):
        raise ValueError(_URL)
    return text


def _backend_url(text: str) -> str:
    parts = urlsplit(_url(text))
    if parts.scheme == "http" and not str(parts.hostname).endswith(".svc"):
        raise ValueError(_BACKEND_URL)
    return text


def _optional(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda text: check(text) if text else text)


_URL = "an http or https URL without login, query and fragment"
_BACKEND_URL = "an https URL without login, query and fragment; http only for a host inside the cluster (ends in .svc)"
_DURATION = "a Prometheus duration above zero such as"

HttpUrl = Annotated[str, AfterValidator(_url)]
OptionalHttpUrl = Annotated[str, _optional(_url)]
BackendUrl = Annotated[str, AfterValidator(_backend_url)]
OptionalBackendUrl = Annotated[str, _optional(_backend_url)]


def _quantity(example: str, *, least: str) -> Any:  # noqa: ANN401
    return Field(description=f"a Kubernetes quantity of at least {least}, such as {example}")


def _field(allowed: str) -> Any:  # noqa: ANN401  (pydantic's own Field is untyped here, too)
    return Field(description=allowed)


class Values(BaseModel):
    """The plain values of a stack. A field's description says what is allowed, in the words of the error message."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    cloud: Literal["none", "eks"] = _field("none or eks")
    aws_region: Annotated[str, Field(pattern=r"^([a-z]{2}(-[a-z]+)+-\d)?$")] = _field(
        "an AWS region such as eu-central-1; required when logs are in S3 without an endpoint, or xray is true"
    )
    cluster_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] = _field(
        "up to 100 letters, digits, `-`, `_` and `.`"
    )
    kubeconfig: str = _field("a path")
    kube_context: str = _field("a context's name")
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,55}[a-z0-9])?$")] = _field(
        "a DNS label of at most 57 characters (small letters, digits and `-`) that is no other's namespace"
    )
    storage_class: Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$")] = _field(
        "a storage class's name; required when cloud is eks, which has no default class"
    )
    protect: bool = _field("true or false")

    prometheus_replicas: Annotated[int, Field(ge=1, le=10)] = _field("a whole number from 1 to 10")
    prometheus_retention: PositiveDuration = _field(f"{_DURATION} 15d, 36h or 1w2d")
    prometheus_storage: Annotated[Quantity, at_least("64Mi")] = _quantity("50Gi", least="64Mi")
    prometheus_memory: Annotated[Quantity, at_least("128Mi")] = _quantity("2Gi", least="128Mi")
    alertmanager_replicas: Annotated[int, Field(ge=1, le=9)] = _field("a whole number from 1 to 9")
    alertmanager_storage: Annotated[Quantity, at_least("32Mi")] = _quantity("2Gi", least="32Mi")
    scrape_interval: PositiveDuration = _field("a Prometheus duration above zero, at most 2m, such as 30s")
    remote_write_url: OptionalBackendUrl = _field(_BACKEND_URL + "; one of AWS needs awsRegion")
    evaluation_interval: PositiveDuration = _field("a Prometheus duration above zero, at most 2m, such as 30s")
    group_wait: Duration = _field("a Prometheus duration such as 30s")
    group_interval: PositiveDuration = _field(f"{_DURATION} 5m")
    repeat_interval: PositiveDuration = _field(f"{_DURATION} 4h, longer than groupInterval")
    smtp_smarthost: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*:[1-9]\d{0,4})?$")] = _field(
        "host:port of an SMTP server"
    )
    smtp_from: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$")] = _field("an e-mail address")
    smtp_username: Annotated[str, Field(pattern=r"^\S*$")] = _field("a user's name without blanks")
    smtp_require_tls: bool = _field("true or false; false only for a server inside the cluster (ends in .svc)")
    pagerduty_url: BackendUrl = _field(_BACKEND_URL)
    mute_windows: bool = _field("true or false")
    kube_state_metrics: bool = _field("true or false")
    kube_state_metrics_memory: Annotated[Quantity, at_least("32Mi")] = _quantity("128Mi", least="32Mi")
    node_exporter: bool = _field("true or false")

    loki_storage_backend: Literal["filesystem", "s3"] = _field("filesystem or s3")
    loki_bucket: Annotated[str, Field(pattern=r"^([a-z0-9](-?\.?[a-z0-9]|--){1,61}[a-z0-9])?$")] = _field(
        "an S3 bucket's name; required when lokiStorageBackend is s3, and only then"
    )
    loki_s3_endpoint: OptionalBackendUrl = _field(
        _BACKEND_URL + "; only when lokiStorageBackend is s3, for a server that is not AWS"
    )
    loki_replicas: Annotated[int, Field(ge=1, le=9)] = _field(
        "a whole number from 1 to 9; 1 when lokiStorageBackend is filesystem, which replicas cannot share"
    )
    loki_retention: str = _field(RETENTION_ALLOWED)
    loki_storage: Annotated[Quantity, at_least("64Mi")] = _quantity("50Gi", least="64Mi")
    loki_memory: Annotated[Quantity, at_least("256Mi")] = _quantity("1Gi", least="256Mi")

    jaeger_storage_backend: Literal["badger", "opensearch"] = _field("badger or opensearch")
    jaeger_replicas: Annotated[int, Field(ge=1, le=9)] = _field(
        "a whole number from 1 to 9; 1 when jaegerStorageBackend is badger, which replicas cannot share"
    )
    jaeger_retention: PositiveDuration = _field("a Prometheus duration of at least 1h, such as 7d")
    jaeger_storage: Annotated[Quantity, at_least("64Mi")] = _quantity("20Gi", least="64Mi")
    jaeger_memory: Annotated[Quantity, at_least("128Mi")] = _quantity("1Gi", least="128Mi")
    opensearch_url: OptionalBackendUrl = _field(
        _BACKEND_URL + "; required when jaegerStorageBackend is opensearch, and only then"
    )
    opensearch_username: Annotated[str, Field(pattern=r"^\S*$")] = _field(
        "a user's name without blanks; required when jaegerStorageBackend is opensearch, and only then"
    )

    collector_replicas: Annotated[int, Field(ge=1, le=20)] = _field("a whole number from 1 to 20")
    collector_storage: Annotated[Quantity, at_least("64Mi")] = _quantity("5Gi", least="64Mi")
    collector_memory: Annotated[Quantity, at_least("128Mi")] = _quantity("512Mi", least="128Mi")
    collector_agent_memory: Annotated[Quantity, at_least("64Mi")] = _quantity(
        "256Mi", least="64Mi, and 20Mi for each of collectorReplicas"
    )
    trace_sampling_percentage: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = _field(
        "a number from 0 to 100"
    )
    trace_decision_wait: PositiveDuration = _field("a Prometheus duration from 1s to 5m, such as 10s")
    xray: bool = _field("true or false; true only when cloud is eks, which gives the collectors an identity")

    grafana: bool = _field("true or false")
    grafana_storage: Annotated[Quantity, at_least("64Mi")] = _quantity("5Gi", least="64Mi")
    grafana_memory: Annotated[Quantity, at_least("128Mi")] = _quantity("512Mi", least="128Mi")
    grafana_api_url: OptionalHttpUrl = _field(_URL)

    prometheus_url: HttpUrl = _field(_URL)
    alertmanager_url: HttpUrl = _field(_URL)
    loki_url: HttpUrl = _field(_URL)
    jaeger_url: HttpUrl = _field(_URL)
    runbook_base_url: HttpUrl = _field(_URL)
    dashboard_base_url: HttpUrl = _field(f"{_URL}; without a path when grafana is true")

    service_namespaces: tuple[DnsLabel, ...] = _field("a list of namespaces")
    simulator: bool = _field("true or false")
    simulator_image: str = _field("an image reference with a tag or digest")
    disruption_budgets: dict[str, Any] = _field("an object: name of a budget -> minAvailable, or enabled: false")
    alert_overrides: dict[str, Any] = _field("an object: alert name -> what changes")

    @field_validator("scrape_interval", "evaluation_interval")
    @classmethod
    def _short(cls, text: str) -> str:
        # A series is stale five minutes after its last sample; two missed scrapes must fit into that.
        if seconds(text) > 120:
            raise ValueError("must be at most 2m")
        return text

    @field_validator("trace_decision_wait")
    @classmethod
    def _bounded(cls, text: str) -> str:
        # Every span of the last `wait` is held in memory.
        if not 1 <= seconds(text) <= 300:
            raise ValueError("must be from 1s to 5m")
        return text

    @field_validator("jaeger_retention")
    @classmethod
    def _useful(cls, text: str) -> str:
        if seconds(text) < 3600:
            raise ValueError("must be at least 1h")
        return text

    @field_validator("loki_retention")
    @classmethod
    def _kept(cls, text: str) -> str:
        if found := retention_problem(text):
            raise ValueError(found)
        return text

    @field_validator("simulator_image")
    @classmethod
    def _pinned(cls, text: str) -> str:
        if text and not re.fullmatch(r"[\w./:-]+(:[\w.-]+|@sha256:[0-9a-f]{64})", text):
            raise ValueError("must name a tag or digest")
        return text

    def misfits(self) -> list[str]:
        """Names of the fields whose value is fine alone, but not together with the others."""
        s3 = self.loki_storage_backend == "s3"
        opensearch = self.jaeger_storage_backend == "opensearch"
        others = ("default", *(SIMULATED if self.simulator else ()))
        wrong = {
            "storage_class": self.cloud == "eks" and not self.storage_class,
            # Equal is no better than shorter: see Routing.timing_problems.
            "repeat_interval": seconds(self.repeat_interval) <= seconds(self.group_interval),
            "namespace": self.namespace.startswith("kube-") or self.namespace in others,
            "xray": self.xray and self.cloud != "eks",
            "dashboard_base_url": self.grafana and urlsplit(self.dashboard_base_url).path.strip("/"),
            "loki_bucket": s3 != bool(self.loki_bucket),
            "loki_s3_endpoint": self.loki_s3_endpoint and not s3,
            "loki_replicas": self.loki_replicas > 1 and not s3,
            "aws_region": not self.aws_region
            and (self.xray or (s3 and not self.loki_s3_endpoint) or ".amazonaws.com" in self.remote_write_url),
            "collector_agent_memory": not self._agents_hold_traces(),
            "jaeger_replicas": self.jaeger_replicas > 1 and not opensearch,
            "opensearch_url": opensearch != bool(self.opensearch_url),
            "opensearch_username": opensearch != bool(self.opensearch_username),
        }
        return [name for name, is_wrong in wrong.items() if is_wrong]

    def _agents_hold_traces(self) -> bool:
        try:
            gateway_queue_bytes(quantity_bytes(self.collector_agent_memory), self.collector_replicas)
        except ValueError:
            return False
        return True

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Config key of each secret that these values need, besides the channels' own, and what needs it."""
        if self.loki_storage_backend == "s3" and self.loki_s3_endpoint:
            yield "lokiS3AccessKeyId", "lokiS3Endpoint"
            yield "lokiS3SecretAccessKey", "lokiS3Endpoint"
        if self.jaeger_storage_backend == "opensearch":
            yield "opensearchPassword", "jaegerStorageBackend opensearch"
        if self.smtp_username:
            yield "smtpPassword", "smtpUsername"
        if not self.grafana and self.cloud == "eks":
            yield "grafanaAuth", "the Grafana at dashboardBaseUrl, as grafana is false"

    @property
    def timing(self) -> Timing:
        """How long notifications wait."""
        return Timing(
            group_wait=self.group_wait, group_interval=self.group_interval, repeat_interval=self.repeat_interval
        )


SIMULATED = ("job-queue", "speccursor", "api", "media", "platform-faults", "receiver")
"""Namespaces that the simulator brings."""

SECRETS = {
    "lokiS3AccessKeyId": "lokiS3Endpoint is set",
    "lokiS3SecretAccessKey": "lokiS3Endpoint is set",
    "opensearchPassword": "jaegerStorageBackend is opensearch",
    "smtpPassword": "smtpUsername is set",
    # `user:password` or a service account's token.
    "grafanaAuth": "grafana is false",
}
"""Config key of every secret besides the channels' own -> when it is used."""
