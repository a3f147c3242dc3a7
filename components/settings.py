"""The stack's settings: the only place that reads Pulumi's configuration.

Everything is checked before the first resource, and every problem is reported at once with its full key, its value
(never a secret's) and what is allowed. Defaults stand in Pulumi.yaml, and only there.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import SecretStr, ValidationError

from components import channel_keys, dashboard_files, data_sources, setting_values, stack_checks, versions
from components.dashboard_files import DashboardFile, DashboardsError
from components.setting_values import Values
from rules import disruption_budgets, loader, routing
from rules.disruption_budgets import DisruptionBudget
from rules.model import AlertOverride, Links, RuleSet
from rules.problems import RulesError, closest, path
from rules.routing import Mail, Routing, Timing

NAMESPACE = "observability"
ROOT = Path(__file__).resolve().parent.parent


class SettingsError(pulumi.RunError):
    """The configuration cannot be used. `problems` has one line per problem."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(
            f"{count} in the settings; nothing was changed.\n" + "\n".join(f"  {p}" for p in self.problems)
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between stacks, checked."""

    values: Values
    rule_set: RuleSet
    overrides: Mapping[str, AlertOverride]
    routing: Routing
    dashboards: Sequence[DashboardFile]
    disruption_budgets: Mapping[str, DisruptionBudget]
    """By name, of the observed systems' workloads."""
    secrets: Mapping[str, SecretStr]
    """Config key -> secret, for every key that a channel names."""
    credentials: Mapping[str, SecretStr]
    """Config key -> secret, for what the values need besides."""

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
    def agent_namespace(self) -> str:
        """Namespace of the node agents, the only one outside Pod Security `restricted`."""
        return f"{self.values.namespace}-agent"

    @property
    def grafana_api_url(self) -> str:
        """Where this program reaches Grafana's API."""
        return self.values.grafana_api_url or self.values.dashboard_base_url

    @property
    def grafana_auth(self) -> str:
        """Login for a Grafana that is not this stack's; anonymous where none is set."""
        return self.credential("grafanaAuth") if "grafanaAuth" in self.credentials else "anonymous"

    def credential(self, key: str) -> str:
        """The secret under a config key of `credentials`."""
        return self.credentials[key].get_secret_value()

    @property
    def links(self) -> Links:
        """Where the links of a notification lead."""
        return Links(runbook_base_url=self.values.runbook_base_url, dashboard_base_url=self.values.dashboard_base_url)

    @property
    def mail(self) -> Mail | None:
        """The SMTP server; None where no channel needs one."""
        values = self.values
        if not values.smtp_smarthost:
            return None
        password = self.credential("smtpPassword") if values.smtp_username else ""
        return Mail(
            smarthost=values.smtp_smarthost,
            sender=values.smtp_from,
            username=values.smtp_username,
            password=password,
            require_tls=values.smtp_require_tls,
        )

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
    dashboards: tuple[DashboardFile, ...] = ()
    try:
        dashboards = dashboard_files.load(data_sources.UIDS, systems=rule_set.systems if rule_set else None)
    except DashboardsError as error:
        problems += error.problems
    channels = routes.secrets() if routes else {}
    known = {field.alias or name for name, field in Values.model_fields.items()}
    plain = {key: text for key, text in raw.items() if key not in channels and key not in setting_values.SECRETS}
    # With a broken routing.yaml nobody can tell which further keys are secrets, so none is called unknown.
    problems += _unknown(plain, known, (*channels, *setting_values.SECRETS)) if routes else []
    typed = {key: _typed(key, text) for key, text in plain.items() if key in known}
    values, found = _values(typed, encrypted)
    problems += found
    problems += _routing_problems(raw, encrypted, routes, values, rule_set)
    credentials = dict(values.secrets()) if values else {}
    present = [key for key in setting_values.SECRETS if raw.get(key)]
    problems += _credential_problems(present, encrypted, credentials)
    if values:
        problems += _unused(present, values)
    problems += stack_checks.problems(rule_set, routes, dashboards, values)
    overrides: dict[str, AlertOverride] = {}
    budgets: dict[str, DisruptionBudget] = {}
    if rule_set:
        overrides, found = _changed(typed, "alertOverrides", partial(loader.overrides, rule_set=rule_set))
        problems += found
        budgets, found = _changed(typed, "disruptionBudgets", partial(disruption_budgets.of, rule_set.systems))
        problems += found
    if problems or not (values and rule_set and routes):
        raise SettingsError(problems)
    return Settings(
        values=values,
        rule_set=rule_set,
        overrides=overrides,
        routing=routes,
        dashboards=dashboards,
        disruption_budgets=budgets,
        secrets={key: SecretStr(raw[key]) for key in channels},
        credentials={key: SecretStr(raw[key]) for key in present},
    )


_Item = TypeVar("_Item")


def _changed(
    typed: Mapping[str, object], key: str, apply: Callable[[dict[str, Any]], dict[str, _Item]]
) -> tuple[dict[str, _Item], list[str]]:
    """What `apply` makes of an object key, and its problems; a value that is no object is reported elsewhere."""
    changes = typed.get(key)
    if not isinstance(changes, dict):
        return {}, []
    try:
        return apply(cast(dict[str, Any], changes)), []
    except RulesError as error:
        return {}, [f"{NAMESPACE}:{key}.{problem}" for problem in error.problems]


def _routing_problems(
    raw: Mapping[str, str],
    encrypted: Collection[str],
    routes: Routing | None,
    values: Values | None,
    rule_set: RuleSet | None,
) -> Iterator[str]:
    if not routes:
        return
    yield from (f"{NAMESPACE}:{found}" for found in channel_keys.problems(raw, encrypted, routes, values))
    if values:
        yield from routes.timing_problems(values.timing)
    if rule_set:
        labels = {alert: rule.labels.model_dump() for alert, rule in rule_set.rules().items()}
        yield from routing.inhibition_problems(routes, labels)


def _values(typed: Mapping[str, object], encrypted: Collection[str]) -> tuple[Values | None, list[str]]:
    try:
        values = Values.model_validate(typed)
    except ValidationError as error:
        found = [_value_problem(cast(Mapping[str, Any], item), encrypted) for item in error.errors()]
        return None, list(dict.fromkeys(found))
    misfits = [_problem(str(Values.model_fields[name].alias), getattr(values, name)) for name in values.misfits()]
    return (None if misfits else values), misfits


def _value_problem(item: Mapping[str, Any], encrypted: Collection[str]) -> str:
    location = item["loc"]
    key = f"{NAMESPACE}:{path(location)}"
    if item["type"] == "missing":
        return f"{key}: required, but not set; allowed: {_allowed(location[0])}"
    if location[0] in encrypted:
        return f"{key}: the value (a secret, not shown) is not allowed; allowed: {_allowed(location[0])}"
    return _problem(path(location), item["input"])


def _problem(key: str, value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return f"{NAMESPACE}:{key}: {shown} is not allowed; allowed: {_allowed(re.split(r'[.[]', key)[0])}"


def _allowed(key: object) -> str | None:
    return next(f.description for n, f in Values.model_fields.items() if key in (f.alias, n))


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


def _credential_problems(
    present: Collection[str], encrypted: Collection[str], needed: Mapping[str, str]
) -> Iterator[str]:
    for key, user in needed.items():
        if key not in present:
            command = f"pulumi config set --secret {key}"
            yield f"{NAMESPACE}:{key}: required, but not set; needed by {user}; set it with: {command}"
    for key in present:
        if key not in encrypted:
            command = f"pulumi config set --secret {key}"
            yield f"{NAMESPACE}:{key}: stands in the stack file as plain text; encrypt it with: {command}"


def _unused(present: Collection[str], values: Values) -> Iterator[str]:
    """A secret that nobody asks for is a misunderstanding, or one that can be taken back."""
    used = {key for key, _ in values.secrets()} | (set() if values.grafana else {"grafanaAuth"})
    for key in present:
        if key not in used:
            allowed = f"only when {setting_values.SECRETS[key]}"
            yield f"{NAMESPACE}:{key}: set, but not used; allowed: {allowed}; remove it with: pulumi config rm {key}"
