"""The settings of one stack: its values, rules, routes, dashboards and secrets, checked together.

All checks run before the first resource is created. All problems are reported at once, each with its full key, its
value (never a secret's) and the allowed values. Pulumi.yaml is the only place that holds defaults.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from alerting import loader, routing
from alerting.contract import Contract
from alerting.disruption_budgets import DisruptionBudget
from alerting.files import ROOT
from alerting.model import AlertOverride, RuleSet
from alerting.routing import Mail, Routing
from alerting.speakers import StackNamespaces
from dashboards.files import DashboardFile
from settings import checks, content, images, parsing, versions
from settings import secrets as setting_secrets
from settings import values as setting_values
from settings.apps import SIMULATED_NAMESPACES, agent_namespace, speaking_namespaces
from settings.eks import access
from settings.eks import facts as aws_facts
from settings.eks.aws import STORAGE_CLASS
from settings.eks.facts import Facts
from settings.values import Values


class SettingsError(ValueError):
    """The configuration cannot be used. `problems` has one line for each problem."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(
            f"{count} in the settings; nothing was changed.\n" + "\n".join(f"  {p}" for p in self.problems)
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The checked settings of a stack: everything that differs between stacks."""

    values: Values
    rule_set: RuleSet
    overrides: Mapping[str, AlertOverride]
    routing: Routing
    contracts: Mapping[str, Contract]
    """The observed systems' contracts, by system."""
    dashboards: Sequence[DashboardFile]
    disruption_budgets: Mapping[str, DisruptionBudget]
    """Disruption budgets of the observed systems' workloads, by name."""
    secrets: Mapping[str, SecretStr]
    """Config key -> secret, for every key that a channel names."""
    credentials: Mapping[str, SecretStr]
    """Config key -> secret, for every other key that the values need."""
    facts: Facts | None = None
    """What AWS reported about the account; None if cloud is not eks."""
    stack: str = ""
    """Name of the stack. It is used only in tags and to tell the stack's own file from the others."""

    @property
    def kubeconfig(self) -> str | None:
        """Absolute path of the kubeconfig file, or the EKS cluster's kubeconfig as text. None: kubectl's default."""
        values = self.values
        if values.kubeconfig or values.kube_context or not (self.facts and self.facts.cluster):
            return str(ROOT / Path(values.kubeconfig).expanduser()) if values.kubeconfig else None
        cluster = self.facts.cluster
        return access.kubeconfig(values, cluster.endpoint, cluster.certificate_authority)

    @property
    def has_cluster(self) -> bool:
        """Whether a cluster can be queried: not in an offline preview, and not before the cluster is created."""
        exists = self.facts is None or self.facts.cluster is not None
        return exists and not self.values.offline_preview

    @property
    def kube_context(self) -> str | None:
        """Context in the kubeconfig; None for its current context."""
        return self.values.kube_context or None

    @property
    def pod_cidrs(self) -> Sequence[str]:
        """Address ranges by which network policies admit all pods; empty to select pods."""
        return self.values.pod_cidrs or (self.facts.pod_cidrs if self.facts else ())

    @property
    def storage_class(self) -> str | None:
        """Storage class of every volume; None for the cluster's default. EKS has no default class."""
        return self.values.storage_class or (STORAGE_CLASS if self.values.cloud == "eks" else None)

    @property
    def alertmanager_image(self) -> str:
        """Image of Alertmanager, with a tag."""
        return versions.ALERTMANAGER_EMBEDDED_IMAGE if self.values.built_images else versions.ALERTMANAGER_IMAGE

    @property
    def simulator_image(self) -> str:
        """Image of the simulated workloads and of the receiver."""
        return self.values.simulator_image or versions.SIMULATOR_IMAGE

    @property
    def image_login(self) -> str:
        """Docker's config.json with the login at the registry of the images; empty if nodes pull without one."""
        user = self.values.image_registry_username
        return images.login(self.values.image_registry, user, self.credential("imageRegistryPassword")) if user else ""

    @property
    def agent_namespace(self) -> str:
        """Namespace of the node agents, the only namespace that Pod Security `restricted` does not cover."""
        return agent_namespace(self.values.namespace)

    @property
    def speaking_namespaces(self) -> StackNamespaces:
        """Namespaces of the platform, and of drills that imitate systems."""
        return speaking_namespaces(self.values.namespace, simulator=self.values.simulator)

    @property
    def made_namespaces(self) -> list[str]:
        """Namespaces that the program creates."""
        simulated = SIMULATED_NAMESPACES if self.values.simulator else ()
        return [self.values.namespace, self.agent_namespace, *simulated]

    @property
    def grafana_api_url(self) -> str:
        """URL at which this program reaches Grafana's API."""
        return self.values.grafana_api_url or self.values.dashboard_base_url

    @property
    def grafana_auth(self) -> str:
        """Login for a Grafana outside this stack; `anonymous` if it is not set."""
        return self.credential("grafanaAuth") if "grafanaAuth" in self.credentials else "anonymous"

    def credential(self, key: str) -> str:
        """The secret for a config key in `credentials`."""
        return self.credentials[key].get_secret_value()

    @property
    def mail(self) -> Mail | None:
        """The SMTP server; None if smtpSmarthost is not set."""
        return self.values.mail(self.credential("smtpPassword") if self.values.smtp_username else "")

    def rule_files(self) -> dict[str, str]:
        """File name -> YAML of the rules that this stack deploys."""
        return loader.render(
            self.rule_set,
            self.overrides,
            self.values.links,
            interval=self.values.evaluation_interval,
            namespaces=self.speaking_namespaces,
        )


def parse(
    raw: Mapping[str, str],
    encrypted: Collection[str],
    rules_folder: Path = loader.RULES,
    ask_aws: aws_facts.Check = aws_facts.offline,
    stack: str = "",
) -> Settings:
    """Parses the engine's configuration, in which keys have no namespace and every value is a text.

    `encrypted` names the keys that the stack file holds encrypted. Without `ask_aws`, AWS is not contacted and
    references to secrets stay unread. With `stack`, the other stacks' files are checked for conflicts, too. Raises
    SettingsError with every problem.
    """
    parts, problems = content.load(rules_folder)
    secret_keys = (*(parts.routing.secrets() if parts.routing else ()), *setting_values.SECRETS)
    plain = {key: text for key, text in raw.items() if key not in secret_keys}
    # Without a valid routing, each word of its files may be the key of a channel's secret.
    problems += parsing.unknown(plain, secret_keys if parts.routing else (*secret_keys, *routing.words(rules_folder)))
    typed = parsing.typed(plain)
    values, value_problems = parsing.values(typed, encrypted)
    secrets, secret_problems = setting_secrets.read(
        raw, encrypted, parts.routing, values, partial(ask_aws, stack=stack)
    )
    problems += [*value_problems, *secret_problems, *checks.problems(parts, values)]
    problems += checks.bucket_problems(values, stack, ROOT) if values and stack else ()
    changes, change_problems = content.changes(typed, parts)
    problems += [*change_problems, *checks.quantile_problems(parts, changes.alerts)]
    if problems or not (values and parts.rule_set and parts.routing):
        raise SettingsError(problems)
    return Settings(
        values=values,
        rule_set=parts.rule_set,
        overrides=changes.alerts,
        routing=parts.routing,
        contracts=parts.contracts,
        dashboards=parts.dashboards,
        disruption_budgets=changes.budgets,
        secrets={key: SecretStr(secrets.raw[key]) for key in parts.routing.secrets()},
        credentials={key: SecretStr(secrets.raw[key]) for key in secrets.present},
        facts=secrets.facts,
        stack=stack,
    )
