"""The rule files and routes that one commit deploys to one stack: they decide who is notified."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alerting.problems import RulesError
from ops.errors import OpsError, UsageError
from settings import deployed, stack_files
from settings.eks.secret_references import placeholder
from settings.stack_files import StackFileError


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Rules and routes of one commit for one stack."""

    name: str
    """The commit, as given on the command line."""
    rule_files: Mapping[str, str]
    """Rule files of Prometheus: file name -> YAML."""
    log_rule_files: Mapping[str, str]
    """Rule files of Loki, in the same form."""
    alertmanager: str
    """alertmanager.yml, with placeholders for secrets."""
    labels: Mapping[str, str]
    """Labels that Prometheus adds to each alert that it sends."""
    interval: str
    """Prometheus' evaluation interval, a duration."""


def read(folder: Path, stack: str, *, name: str) -> Deployed:
    """What the checkout `folder` deploys to `stack`; errors call it `name`.

    Raises UsageError for an unknown stack, and OpsError if the checkout's files cannot be deployed.
    """
    known = stack_files.names(folder)
    if stack not in known:
        raise UsageError(f"{name}: unknown stack {stack!r}; there are: {', '.join(known) or 'none'}")
    try:
        values = stack_files.typed(stack_files.read(stack, folder).values)
        found = deployed.read(stack, placeholder, folder)
    except RulesError as error:
        raise OpsError(f"{name} cannot be deployed:\n" + "\n".join(f"  {line}" for line in error.problems)) from error
    except (StackFileError, ValueError) as error:
        raise OpsError(f"{name} cannot be deployed: {error}") from error
    return Deployed(
        name=name,
        rule_files=found.prometheus,
        log_rule_files=found.loki,
        alertmanager=found.alertmanager,
        labels={"cluster": values.cluster_name},
        interval=values.evaluation_interval,
    )
