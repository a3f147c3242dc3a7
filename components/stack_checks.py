"""Do the parts of a stack fit together: its rules, routes, dashboards and values. One line for each problem."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml
from pydantic.alias_generators import to_snake

from components import dashboard_files
from components.setting_parsing import PROJECT
from components.setting_values import Values
from components.stack_parts import Parts
from rules import routing, slos

_PREFIX = f"{PROJECT}:"
_BUCKETS = ("lokiBucket", "lokiRulerBucket")


def bucket_problems(values: Values, stack: str, folder: Path) -> Iterator[str]:
    """Buckets that another stack's file in `folder` names, too: two Lokis in one bucket delete each other's logs."""
    own = {key: name for key in _BUCKETS if (name := getattr(values, to_snake(key)))}
    for file in sorted(folder.glob("Pulumi.*.yaml")):
        if file.name != f"Pulumi.{stack}.yaml":
            theirs = _config(file)
            for key, name in own.items():
                if theirs.get(f"{_PREFIX}lokiS3Endpoint", "") == values.loki_s3_endpoint:
                    yield from (
                        f"{_PREFIX}{key}: {json.dumps(name)} is not allowed; allowed: a bucket of this stack only; "
                        f"{file.name} has it as {other}"
                        for other in _BUCKETS
                        if theirs.get(_PREFIX + other) == name
                    )


def _config(file: Path) -> Mapping[str, object]:
    """The configuration in a stack's file; none where it has none that can be read, which its own stack reports."""
    try:
        document: object = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    config = cast(Mapping[str, object], document).get("config") if isinstance(document, dict) else None
    return cast(Mapping[str, object], config) if isinstance(config, dict) else {}


def problems(parts: Parts, values: Values | None) -> Iterator[str]:
    """What does not fit. A part that is None, or no dashboard, is wrong in itself, and is left out."""
    rule_set, routes, dashboards = parts.rule_set, parts.routing, parts.dashboards
    if values and routes:
        yield from routes.timing_problems(values.timing)
    if rule_set and routes:
        labels = {alert: rule.labels.model_dump() for alert, rule in rule_set.rules().items()}
        yield from routing.inhibition_problems(routes, labels)
    if rule_set and values:
        remote_write = bool(values.remote_write_url) or values.managed_prometheus
        yield from slos.retention_problems(rule_set.slos.values(), values.prometheus_retention, remote_write)
    if rule_set and dashboards:
        linked = {alert: rule.annotations.dashboard_url for alert, rule in rule_set.rules().items()}
        yield from dashboard_files.missing(dashboards, linked)
        yield from dashboard_files.unreachable(dashboards, linked)
