"""Stack outputs about alerts. Drills read which channels each alert must notify, and how quickly."""

from typing import Any

from alerting.loader import effective
from alerting.model import AlertOverride
from alerting.routing import notified
from settings.stack import Settings


def alerts(settings: Settings) -> dict[str, dict[str, Any]]:
    """Alert name -> severity, system, page, `for` (a Prometheus duration) and channels. Omits disabled alerts."""
    outputs: dict[str, dict[str, Any]] = {}
    for name, rule in settings.rule_set.rules().items():
        change = settings.overrides.get(name, AlertOverride())
        if not change.enabled:
            continue
        changed = effective(rule, settings.rule_set.thresholds.get(name, {}), change)
        labels = changed.alert_labels
        outputs[name] = {
            "for": changed.for_,
            "severity": labels["severity"],
            "system": labels["system"],
            "page": labels["page"],
            "channels": list(notified.channels(settings.routing, labels)),
        }
    return outputs


def timing(settings: Settings) -> dict[str, str]:
    """The intervals that delay a notification, as Prometheus durations."""
    values = settings.values
    return {
        "scrapeInterval": values.scrape_interval,
        "evaluationInterval": values.evaluation_interval,
        "groupWait": values.group_wait,
        "groupInterval": values.group_interval,
        "repeatInterval": values.repeat_interval,
    }
