"""Previews of the messages about alerts: one example of each, as a stack would send it."""

from collections.abc import Iterable, Mapping

from alerting import routing
from alerting.model import Rule, RuleSet
from local.errors import LocalError
from ops.clients.signals import Delivery
from ops.errors import OpsError
from ops.messages import examples, sent
from settings.values import Values


def previews(
    rules: Iterable[tuple[Rule, Mapping[str, float]]],
    rule_set: RuleSet,
    routes: routing.Routing,
    templates: str,
    stack: Values,
) -> list[Delivery]:
    """One message per alert and channel; `rules` come with the values of their thresholds.

    Raises OpsError if promtool or Alertmanager are missing or fail.
    """
    # Twice a threshold is beyond it, also for a share.
    chosen = [(rule, 2 * max(thresholds.values(), default=0.5)) for rule, thresholds in rules]
    try:
        found = examples.examples(chosen, rule_set, stack)
        return sent.messages(routes, templates, found, external_url=stack.alertmanager_url) if found else []
    except LocalError as error:
        raise OpsError(f"messages cannot be shown: {error}") from error
