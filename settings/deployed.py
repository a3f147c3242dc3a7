"""The configuration files that a stack deploys to Prometheus, Loki's ruler and Alertmanager, as texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from alerting import loader, routing
from alerting.files import ROOT, RULES
from settings import stack_files
from settings.apps import speaking_namespaces


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The rules and the Alertmanager configuration of one stack."""

    prometheus: Mapping[str, str]
    """File name -> YAML of Prometheus's rules."""
    loki: Mapping[str, str]
    """File name -> YAML of the rules of Loki's ruler."""
    alertmanager: str
    """alertmanager.yml."""
    templates: str
    """The notification templates, which Alertmanager reads beside its configuration."""


def read(stack: str, secret: Callable[[str, str], str], root: Path = ROOT) -> Deployed:
    """What the stack with a file in `root` deploys of the rules in `root`.

    `secret(form, key)` gives the text that stands for a secret; `form` is that of alerting.routing.Form, or empty.
    Raises RulesError or StackFileError with every problem, and ValueError for e-mail channels without an SMTP server.
    """
    written: Mapping[str, Any] = stack_files.read(stack, root).values
    values = stack_files.typed(written)
    rules = root / RULES.relative_to(ROOT)
    rule_set, routes = loader.load(rules), routing.load(rules)
    overrides = loader.overrides(cast(dict[str, Any], written.get("alertOverrides") or {}), rule_set)
    return Deployed(
        prometheus=loader.render(
            rule_set,
            overrides,
            values.links,
            interval=values.evaluation_interval,
            namespaces=speaking_namespaces(values.namespace, simulator=values.simulator),
        ),
        loki=loader.render_loki(rule_set, overrides, values.links),
        alertmanager=routing.render(
            routes,
            values.timing,
            {key: secret(form, key) for key, form in routes.forms().items()},
            mail=values.mail(secret("", "smtpPassword")),
            pagerduty_url=values.pagerduty_url,
            mute_windows=values.mute_windows,
        ),
        templates=routing.message_templates(rules),
    )
