"""The plain values of a stack: the keys, and the values that each allows. Conflicts: settings/conflicts.py."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from alerting.durations import Duration, PositiveDuration, seconds
from alerting.model import Links
from alerting.routing import RETENTION, Mail, Timing
from settings import images, pod_settings
from settings.eks.values import Cidr, EksValues
from settings.images import ImageDigests, ImageRegistry, UserName
from settings.pages import ADDRESSES, PAGES, Page
from settings.pod_settings import PodSettingsByPart
from settings.quantities import Quantity, at_least
from settings.sizes import LOKI_RETENTION_ALLOWED, loki_retention_problem
from settings.types import (
    BACKEND_URL,
    METRIC_NAMES,
    OBJECT_NAME,
    URL,
    BackendUrl,
    BucketName,
    DnsLabel,
    HttpUrl,
    MetricNames,
    OptionalBackendUrl,
    OptionalHttpUrl,
    OptionalMailbox,
    Smarthost,
    allowed,
    quantity,
)

_DURATION = "a Prometheus duration above zero such as"
_IMAGE = r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"


class Values(EksValues):
    """The plain values of a stack. A field's description is the text after `allowed:` in its error message."""

    cloud: Literal["none", "eks"] = allowed("none or eks")
    aws_region: Annotated[str, Field(pattern=r"^([a-z]{2}(-[a-z]+)+-\d)?$")] = allowed(
        "an AWS region such as eu-central-1; required when cloud is eks, or logs are in S3 without an endpoint"
    )
    cluster_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] = allowed(
        "up to 100 letters, digits, `-`, `_` and `.`"
    )
    kubeconfig: str = allowed("a path")
    kube_context: str = allowed("a context's name")
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,55}[a-z0-9])?$")] = allowed(
        "a DNS label of at most 57 characters (small letters, digits and `-`) that nothing else uses"
    )
    storage_class: Annotated[str, Field(pattern=OBJECT_NAME, max_length=253)] = allowed("a storage class's name")
    protect: bool = allowed("true or false")

    prometheus_replicas: Annotated[int, Field(ge=1, le=10)] = allowed("a whole number from 1 to 10")
    prometheus_retention: PositiveDuration = allowed(f"{_DURATION} 15d, 36h or 1w2d")
    prometheus_storage: Annotated[Quantity, at_least("64Mi")] = quantity("50Gi", least="64Mi")
    prometheus_memory: Annotated[Quantity, at_least("128Mi")] = quantity("2Gi", least="128Mi")
    alertmanager_replicas: Annotated[int, Field(ge=1, le=9)] = allowed("a whole number from 1 to 9")
    alertmanager_storage: Annotated[Quantity, at_least("32Mi")] = quantity("2Gi", least="32Mi")
    scrape_interval: PositiveDuration = allowed("a Prometheus duration above zero, at most 2m, such as 30s")
    remote_write_url: OptionalBackendUrl = allowed(
        BACKEND_URL + "; on AWS, a workspace, ending in /workspaces/WORKSPACE/api/v1/remote_write, when cloud is eks"
    )
    remote_write_keep: MetricNames = allowed(METRIC_NAMES)
    remote_write_drop: MetricNames = allowed(METRIC_NAMES)
    evaluation_interval: PositiveDuration = allowed("a Prometheus duration above zero, at most 2m, such as 30s")
    group_wait: Duration = allowed("a Prometheus duration such as 30s")
    group_interval: PositiveDuration = allowed(f"{_DURATION} 5m")
    repeat_interval: PositiveDuration = allowed(
        f"{_DURATION} 4h, longer than groupInterval and at most {RETENTION}, for which Alertmanager remembers a "
        "notification"
    )
    smtp_smarthost: Smarthost = allowed("host:port of an SMTP server")
    smtp_from: OptionalMailbox = allowed("an e-mail address such as alerts@example.com")
    smtp_username: Annotated[str, Field(pattern=r"^\S*$")] = allowed("a user name without blanks")
    smtp_require_tls: bool = allowed("true or false; false only for a server inside the cluster (ends in .svc)")
    pagerduty_url: BackendUrl = allowed(BACKEND_URL)
    mute_windows: bool = allowed("true or false")
    kube_state_metrics: bool = allowed("true or false")
    kube_state_metrics_memory: Annotated[Quantity, at_least("32Mi")] = quantity("128Mi", least="32Mi")
    node_exporter: bool = allowed("true or false")

    loki_storage_backend: Literal["filesystem", "s3"] = allowed("filesystem or s3")
    loki_bucket: BucketName = allowed("an S3 bucket's name; required when lokiStorageBackend is s3, and only then")
    loki_s3_endpoint: OptionalBackendUrl = allowed(
        BACKEND_URL + "; only when lokiStorageBackend is s3, for a server that is not AWS"
    )
    loki_replicas: Annotated[int, Field(ge=1, le=9)] = allowed(
        "a whole number from 1 to 9; 1 when lokiStorageBackend is filesystem, which replicas cannot share"
    )
    loki_retention: str = allowed(LOKI_RETENTION_ALLOWED)
    loki_storage: Annotated[Quantity, at_least("64Mi")] = quantity("50Gi", least="64Mi")
    loki_memory: Annotated[Quantity, at_least("256Mi")] = quantity("1Gi", least="256Mi")

    jaeger_storage_backend: Literal["badger", "opensearch"] = allowed("badger or opensearch")
    jaeger_replicas: Annotated[int, Field(ge=1, le=9)] = allowed(
        "a whole number from 1 to 9; 1 when jaegerStorageBackend is badger, which replicas cannot share"
    )
    jaeger_retention: PositiveDuration = allowed("a Prometheus duration of at least 1h, such as 7d")
    jaeger_storage: Annotated[Quantity, at_least("64Mi")] = quantity("20Gi", least="64Mi")
    jaeger_memory: Annotated[Quantity, at_least("128Mi")] = quantity("1Gi", least="128Mi")
    opensearch_url: OptionalBackendUrl = allowed(
        BACKEND_URL
        + "; required when jaegerStorageBackend is opensearch or logIndex true, opensearchDomain false, and only then"
    )
    opensearch_username: Annotated[str, Field(pattern=r"^\S*$")] = allowed(
        "a user name without blanks; required when jaegerStorageBackend is opensearch or logIndex true, and only then"
    )
    opensearch_policies: bool = allowed("true or false; true when opensearchDomain is true")
    opensearch_users: bool = allowed("true or false; true when opensearchDomain is true")
    log_index: bool = allowed("true or false")
    log_index_retention: PositiveDuration = allowed("a Prometheus duration of at least 1h, such as 30d")

    collector_replicas: Annotated[int, Field(ge=1, le=20)] = allowed("a whole number from 1 to 20")
    collector_storage: Annotated[Quantity, at_least("64Mi")] = quantity("5Gi", least="64Mi")
    collector_memory: Annotated[Quantity, at_least("128Mi")] = quantity("512Mi", least="128Mi")
    collector_agent_memory: Annotated[Quantity, at_least("64Mi")] = quantity(
        "256Mi", least="64Mi, and 32Mi for each of collectorReplicas"
    )
    trace_sampling_percentage: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = allowed(
        "a number from 0 to 100"
    )
    trace_slower_than: PositiveDuration = allowed("a Prometheus duration from 1ms to 1h, such as 5s")
    trace_decision_wait: PositiveDuration = allowed("a Prometheus duration from 1s to 5m, such as 10s")
    xray: bool = allowed("true or false; true only when cloud is eks, which gives the collectors an identity")

    grafana: bool = allowed("true or false")
    grafana_storage: Annotated[Quantity, at_least("64Mi")] = quantity("5Gi", least="64Mi")
    grafana_memory: Annotated[Quantity, at_least("128Mi")] = quantity("512Mi", least="128Mi")
    grafana_api_url: OptionalHttpUrl = allowed(URL)

    prometheus_url: HttpUrl = allowed(URL)
    alertmanager_url: HttpUrl = allowed(URL)
    loki_url: HttpUrl = allowed(URL)
    jaeger_url: HttpUrl = allowed(URL)
    runbook_base_url: HttpUrl = allowed(URL)
    dashboard_base_url: HttpUrl = allowed(f"{URL}; without a path when grafana is true")

    pod_settings: PodSettingsByPart = allowed(pod_settings.ALLOWED)
    image_registry: ImageRegistry = allowed(images.ALLOWED)
    image_digests: ImageDigests = allowed(images.DIGESTS_ALLOWED)
    image_registry_username: UserName = allowed(images.USER_ALLOWED)
    built_images: bool = allowed("true or false")
    pod_cidrs: tuple[Cidr, ...] = allowed("a list of address ranges such as 10.0.0.0/16")
    verify_kubelets: bool = allowed("true or false")
    scrape_host_ports: tuple[Annotated[int, Field(ge=1, le=65_535)], ...] = allowed("a list of ports, 1 to 65535")
    monitors: bool = allowed("true or false")
    monitor_namespaces: tuple[DnsLabel, ...] = allowed(
        "a list of namespaces other than the platform's own; only when monitors is true"
    )
    service_namespaces: tuple[DnsLabel, ...] = allowed("a list of namespaces")
    simulator: bool = allowed("true or false")
    simulator_image: str = allowed("an image reference with a tag or digest")
    disruption_budgets: dict[str, Any] = allowed(
        "an object: name of a budget -> minAvailable, maxUnavailable, or enabled: false"
    )
    alert_overrides: dict[str, Any] = allowed("an object: alert name -> its changes")

    @field_validator("scrape_interval", "evaluation_interval")
    @classmethod
    def _short(cls, text: str) -> str:
        # A series is stale five minutes after its last sample, and must survive two missed scrapes.
        if seconds(text) > 120:
            raise ValueError("must be at most 2m")
        return text

    @field_validator("trace_decision_wait")
    @classmethod
    def _bounded(cls, text: str) -> str:
        # The gateways hold every span in memory for this long.
        if not 1 <= seconds(text) <= 300:
            raise ValueError("must be from 1s to 5m")
        return text

    @field_validator("trace_slower_than")
    @classmethod
    def _traceable(cls, text: str) -> str:
        if not 0.001 <= seconds(text) <= 3600:
            raise ValueError("must be from 1ms to 1h")
        return text

    @field_validator("jaeger_retention", "log_index_retention")
    @classmethod
    def _useful(cls, text: str) -> str:
        if seconds(text) < 3600:
            raise ValueError("must be at least 1h")
        return text

    @field_validator("loki_retention")
    @classmethod
    def _retainable(cls, text: str) -> str:
        if problem := loki_retention_problem(text):
            raise ValueError(problem)
        return text

    @field_validator("simulator_image")
    @classmethod
    def _pinned(cls, text: str) -> str:
        if text and not re.fullmatch(_IMAGE, text):
            raise ValueError("must name a tag or digest")
        return text

    @model_validator(mode="before")
    @classmethod
    def _addresses(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Fills in addresses that are not set: a host in the domain, served by the load balancer, or a local port."""
        domain = given.get("domain")
        hosts = {
            key: f"https://{app.name}.{domain}" if domain else f"http://localhost:{app.port}"
            for key, app in ADDRESSES.items()
        }
        return {**given, **{key: url for key, url in hosts.items() if given.get(key) == ""}}

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Yields the config key and the user of each secret that these values need, except the channels' secrets."""
        if self.loki_storage_backend == "s3" and self.loki_s3_endpoint:
            yield "lokiS3AccessKeyId", "lokiS3Endpoint"
            yield "lokiS3SecretAccessKey", "lokiS3Endpoint"
        if self.opensearch:
            traces = self.jaeger_storage_backend == "opensearch"
            yield "opensearchPassword", "jaegerStorageBackend opensearch" if traces else "logIndex"
        if self.ingress != "none":
            yield "oidcClientSecret", "ingress"
        if self.smtp_username:
            yield "smtpPassword", "smtpUsername"
        if self.image_registry_username:
            yield "imageRegistryPassword", "imageRegistryUsername"
        if not self.grafana and self.cloud == "eks":
            yield "grafanaAuth", "the Grafana at dashboardBaseUrl, as grafana is false"

    @property
    def hosts(self) -> dict[Page, str]:
        """App -> host that the ingress serves. Empty without an ingress; Grafana only if this stack runs it."""
        pages: list[Page] = [one for one in PAGES if self.ingress != "none" and one in self.ingress_pages]
        return {app: f"{app}.{self.domain}" for app in pages if app != "grafana" or self.grafana}

    @property
    def ingress_class_name(self) -> str:
        """Ingress class of the pages. In Auto Mode the program creates it, under a name that nobody else uses."""
        return self.ingress_class or (f"{self.namespace}-alb" if self.eks_auto_mode else "alb")

    @property
    def existing_ingress_class(self) -> str:
        """Ingress class that must exist; empty if none is needed. In Auto Mode the program creates the class."""
        return "" if self.ingress == "none" or self.eks_auto_mode else self.ingress_class_name

    @property
    def writes_to_aws(self) -> bool:
        """Whether Amazon Managed Prometheus gets the samples. It takes signed requests only."""
        return self.managed_prometheus or ".amazonaws.com" in self.remote_write_url

    @property
    def opensearch(self) -> bool:
        """Whether traces or log lines are stored in OpenSearch."""
        return self.log_index or self.jaeger_storage_backend == "opensearch"

    @property
    def links(self) -> Links:
        """Base URLs of the links in a notification."""
        return Links(runbook_base_url=self.runbook_base_url, dashboard_base_url=self.dashboard_base_url)

    def mail(self, password: str) -> Mail | None:
        """The SMTP server; None if smtpSmarthost is not set. A server without a user gets no password."""
        if not self.smtp_smarthost:
            return None
        return Mail(
            smarthost=self.smtp_smarthost,
            sender=self.smtp_from,
            username=self.smtp_username,
            password=password if self.smtp_username else "",
            require_tls=self.smtp_require_tls,
        )

    @property
    def timing(self) -> Timing:
        """Waiting times of notifications."""
        return Timing(
            group_wait=self.group_wait, group_interval=self.group_interval, repeat_interval=self.repeat_interval
        )


SECRETS = {
    "lokiS3AccessKeyId": "lokiS3Endpoint is set",
    "lokiS3SecretAccessKey": "lokiS3Endpoint is set",
    "opensearchPassword": "jaegerStorageBackend is opensearch or logIndex true",
    "oidcClientSecret": "ingress is not none",
    "smtpPassword": "smtpUsername is set",
    "imageRegistryPassword": "imageRegistryUsername is set",
    # `user:password`, or the token of a service account.
    "grafanaAuth": "grafana is false",
}
"""Config key -> condition under which the secret is used. Excludes the channels' secrets."""
