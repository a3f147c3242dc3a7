"""The stack's settings: the only place that reads Pulumi's configuration.

Everything is checked before the first resource, and every problem is reported at once with its full key, its value
(never a secret's) and what is allowed. Defaults stand in Pulumi.yaml, and only there.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from components import versions
from components.quantities import Quantity
from rules import loader, routing
from rules.durations import Duration, PositiveDuration, seconds
from rules.model import AlertOverride, Links, RuleSet
from rules.problems import RulesError, closest, path
from rules.routing import Routing, Timing

NAMESPACE = "observability"
ROOT = Path(__file__).resolve().parent.parent

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+[^\s]*$")]


class SettingsError(pulumi.RunError):
    """The configuration cannot be used. `problems` has one line per problem."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(
            f"{count} in the settings; nothing was changed.\n" + "\n".join(f"  {p}" for p in self.problems)
        )


def _field(allowed: str) -> Any:  # noqa: ANN401  (pydantic's own Field is untyped here, too)
    return Field(description=allowed)


class Values(BaseModel):
    """The plain values of a stack. A field's description says what is allowed, in the words of the error message."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    cloud: Literal["none", "eks"] = _field("none or eks")
    cluster_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] = _field(
        "up to 100 letters, digits, `-`, `_` and `.`"
    )
    kubeconfig: str = _field("a path")
    kube_context: str = _field("a context's name")
    namespace: DnsLabel = _field("a DNS label: small letters, digits and `-`")
    storage_class: str = _field("a storage class's name; required when cloud is eks, which has no default class")
    prometheus_replicas: Annotated[int, Field(ge=1, le=10)] = _field("a whole number from 1 to 10")
    prometheus_retention: PositiveDuration = _field("a Prometheus duration above zero such as 15d, 36h or 1w2d")
    prometheus_storage: Quantity = _field("a Kubernetes quantity such as 50Gi")
    prometheus_memory: Quantity = _field("a Kubernetes quantity such as 2Gi")
    alertmanager_replicas: Annotated[int, Field(ge=1, le=9)] = _field("a whole number from 1 to 9")
    alertmanager_storage: Quantity = _field("a Kubernetes quantity such as 2Gi")
    scrape_interval: PositiveDuration = _field("a Prometheus duration above zero, at most 2m, such as 30s")
    evaluation_interval: PositiveDuration = _field("a Prometheus duration above zero, at most 2m, such as 30s")
    group_wait: Duration = _field("a Prometheus duration such as 30s")
    group_interval: PositiveDuration = _field("a Prometheus duration above zero such as 5m")
    repeat_interval: PositiveDuration = _field("a Prometheus duration above zero such as 4h, longer than groupInterval")
    prometheus_url: HttpUrl = _field("an http or https URL")
    alertmanager_url: HttpUrl = _field("an http or https URL")
    runbook_base_url: HttpUrl = _field("an http or https URL")
    dashboard_base_url: HttpUrl = _field("an http or https URL")
    service_namespaces: tuple[DnsLabel, ...] = _field("a list of namespaces")
    simulator: bool = _field("true or false")
    simulator_image: str = _field("an image reference with a tag or digest")
    alert_overrides: dict[str, Any] = _field("an object: alert name -> what changes")

    @field_validator("scrape_interval", "evaluation_interval")
    @classmethod
    def _short(cls, text: str) -> str:
        # A series is stale five minutes after its last sample; two missed scrapes must fit into that.
        if seconds(text) > 120:
            raise ValueError("must be at most 2m")
        return text

    @field_validator("simulator_image")
    @classmethod
    def _pinned(cls, text: str) -> str:
        if text and not re.fullmatch(r"[\w./:-]+(:[\w.-]+|@sha256:[0-9a-f]{64})", text):
            raise ValueError("must name a tag or digest")
        return text

    @model_validator(mode="after")
    def _fit_together(self) -> "Values":
        if self.cloud == "eks" and not self.storage_class:
            raise PydanticCustomError("storageClass", "not fitting", {"value": ""})
        # Equal is no better than shorter: see Routing.timing_problems.
        if seconds(self.repeat_interval) <= seconds(self.group_interval):
            raise PydanticCustomError("repeatInterval", "not fitting", {"value": self.repeat_interval})
        return self

    @property
    def timing(self) -> Timing:
        """How long notifications wait."""
        return Timing(
            group_wait=self.group_wait, group_interval=self.group_interval, repeat_interval=self.repeat_interval
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between stacks, checked."""

    values: Values
    rule_set: RuleSet
    overrides: Mapping[str, AlertOverride]
    routing: Routing
    secrets: Mapping[str, SecretStr]
    """Config key -> secret, for every key that a channel names."""

    @property
    def kubeconfig(self) -> str | None:
        """Absolute path of the kubeconfig; None for the one that kubectl would take."""
        return str(ROOT / Path(self.values.kubeconfig).expanduser()) if self.values.kubeconfig else None

    @property
    def kube_context(self) -> str | None:
        """Context; None for the kubeconfig's current one."""
        return self.values.kube_context or None

    @property
    def storage_class(self) -> str | None:
        """Storage class of every volume; None for the cluster's default."""
        return self.values.storage_class or None

    @property
    def simulator_image(self) -> str:
        """Image of the simulated workloads and of the receiver."""
        return self.values.simulator_image or versions.SIMULATOR_IMAGE

    @property
    def links(self) -> Links:
        """Where the links of a notification lead."""
        return Links(runbook_base_url=self.values.runbook_base_url, dashboard_base_url=self.values.dashboard_base_url)

    @property
    def timing(self) -> Timing:
        """How long notifications wait."""
        return self.values.timing

    def rule_files(self) -> dict[str, str]:
        """File name -> YAML of the rules as this stack deploys them."""
        return loader.render(self.rule_set, self.overrides, self.links)


def load(rules_folder: Path = loader.RULES) -> Settings:
    """The settings of the selected stack. Raises SettingsError with every problem found."""
    prefix = f"{NAMESPACE}:"
    secret = runtime_config.get_config_secret_keys_env()
    raw = {
        key.removeprefix(prefix): str(value)
        for key, value in (runtime_config.get_config_env() | runtime_config.CONFIG.get()).items()
        if key.startswith(prefix)
    }
    encrypted = {key for key in raw if prefix + key in secret or runtime_config.is_config_secret(prefix + key)}
    return parse(raw, encrypted, rules_folder)


def parse(raw: Mapping[str, str], encrypted: Collection[str], rules_folder: Path = loader.RULES) -> Settings:
    """Settings from configuration as the engine hands it over: keys without namespace, every value a text.

    `encrypted` names the keys that the stack file holds encrypted. Raises SettingsError with every problem found.
    """
    problems: list[str] = []
    rule_set, routes = None, None
    try:
        rule_set = loader.load(rules_folder)
    except RulesError as error:
        problems += error.problems
    try:
        routes = routing.load(rules_folder)
    except RulesError as error:
        problems += error.problems
    needed = routes.secrets() if routes else {}
    known = {field.alias or name for name, field in Values.model_fields.items()}
    plain = {key: text for key, text in raw.items() if key not in needed}
    # With a broken routing.yaml nobody can tell which further keys are secrets, so none is called unknown.
    problems += _unknown(plain, known, needed) if routes else []
    typed = {key: _typed(key, text) for key, text in plain.items() if key in known}
    values, found = _values(typed, encrypted)
    problems += found
    problems += _secret_problems(raw, encrypted, needed)
    if values and routes:
        problems += routes.timing_problems(values.timing)
    overrides: dict[str, AlertOverride] = {}
    changes = typed.get("alertOverrides")
    if rule_set and isinstance(changes, dict):
        try:
            overrides = loader.overrides(cast(dict[str, Any], changes), rule_set)
        except RulesError as error:
            problems += [f"{NAMESPACE}:alertOverrides.{problem}" for problem in error.problems]
    if problems or not (values and rule_set and routes):
        raise SettingsError(problems)
    secrets = {key: SecretStr(raw[key]) for key in needed}
    return Settings(values=values, rule_set=rule_set, overrides=overrides, routing=routes, secrets=secrets)


def _values(typed: Mapping[str, object], encrypted: Collection[str]) -> tuple[Values | None, list[str]]:
    try:
        return Values.model_validate(typed), []
    except ValidationError as error:
        found = [_value_problem(cast(Mapping[str, Any], item), encrypted) for item in error.errors()]
        return None, list(dict.fromkeys(found))


def _value_problem(item: Mapping[str, Any], encrypted: Collection[str]) -> str:
    location = item["loc"] or (item["type"],)
    key = f"{NAMESPACE}:{path(location)}"
    allowed = next(f.description for n, f in Values.model_fields.items() if location[0] in (f.alias, n))
    if item["type"] == "missing":
        return f"{key}: required, but not set; allowed: {allowed}"
    value = item["input"] if item["loc"] else item["ctx"]["value"]
    shown = "the value (a secret, not shown)" if location[0] in encrypted else json.dumps(value, ensure_ascii=False)
    return f"{key}: {shown} is not allowed; allowed: {allowed}"


def _typed(key: str, text: str) -> object:
    """The text as the type its key has; unchanged where it is none, so that validation reports it as it was written."""
    annotation = next(f.annotation for n, f in Values.model_fields.items() if key in (f.alias, n))
    if annotation is str or annotation is None or "Literal" in str(annotation):
        return text
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return tuple(cast(list[object], value)) if isinstance(value, list) else value


def _unknown(raw: Mapping[str, str], known: Collection[str], secret: Collection[str]) -> list[str]:
    everything = (*known, *secret)
    return [f"{NAMESPACE}:{key}: unknown key; {closest(key, everything)}" for key in raw if key not in everything]


def _secret_problems(raw: Mapping[str, str], encrypted: Collection[str], needed: Mapping[str, list[str]]) -> list[str]:
    problems: list[str] = []
    for key, channels in needed.items():
        command = f"pulumi config set --secret {key}"
        text = raw.get(key, "")
        address = _address(text)
        found: list[str] = []
        if not text:
            found.append(f"required, but not set; needed by channel {' and '.join(channels)}; set it with: {command}")
        elif not address:
            found.append("the value (a secret, not shown) is not allowed; allowed: an http or https URL")
        elif not address.host.endswith(".svc"):
            if key not in encrypted:
                found.append(
                    "stands in the stack file as plain text, which is allowed only for addresses inside the cluster "
                    f"(they end in .svc); encrypt it with: {command}"
                )
            if (address.scheme, address.port) != ("https", 443):
                # Alertmanager's network policy; a channel that it cannot reach would fail only when it is needed.
                found.append(
                    "the value (a secret, not shown) is not allowed; allowed: https on port 443 for a host outside the "
                    "cluster, because Alertmanager may reach nothing else there; hosts inside it end in .svc"
                )
        problems += [f"{NAMESPACE}:{key}: {problem}" for problem in found]
    return problems


class _Address(NamedTuple):
    scheme: str
    host: str
    port: int


def _address(url: str) -> _Address | None:
    """Where an http or https URL leads; None when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # such as an unclosed bracket, or a port that is no number
        return None
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if default is None or not parts.hostname:
        return None
    return _Address(parts.scheme, parts.hostname, default if port is None else port)
