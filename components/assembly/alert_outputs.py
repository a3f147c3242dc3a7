"""What a stack promises about its alerts, as stack outputs: a drill learns whom each must reach, and how fast."""

from typing import Any

from alerting.loader import effective
from alerting.model import AlertOverride
from settings.stack import Settings


def alerts(settings: Settings) -> dict[str, dict[str, Any]]:
    """Alert name -> severity, page, `for` (a Prometheus duration) and its channels; disabled ones are left out."""
    outputs: dict[str, dict[str, Any]] = {}
    for name, rule in settings.rule_set.rules().items():
        change = settings.overrides.get(name, AlertOverride())
        if not change.enabled:
            continue
        changed = effective(rule, settings.rule_set.thresholds.get(name, {}), change)
        labels: dict[str, str] = {"alertname": name, **changed.labels.model_dump()}
        outputs[name] = {
            "for": changed.for_,
            "severity": labels["severity"],
            "system": labels["system"],
            "page": labels["page"],
            "channels": list(settings.routing.channels_for(labels)),
        }
    return outputs


def timing(settings: Settings) -> dict[str, str]:
    """The intervals that a notification waits for, as Prometheus durations."""
    values = settings.values
    return {
        "scrapeInterval": values.scrape_interval,
        "evaluationInterval": values.evaluation_interval,
        "groupWait": values.group_wait,
        "groupInterval": values.group_interval,
        "repeatInterval": values.repeat_interval,
    }
