"""The reference of all settings: default and meaning from Pulumi.yaml, what is allowed from the typed settings."""

import json
from collections.abc import Iterator
from typing import Any, cast

from alerting import routing
from alerting.files import ROOT
from settings import stack_files, values
from settings.values import Values
from tools.manual.markdown import GENERATED, table

# First key of each paragraph of Pulumi.yaml -> the heading of what follows.
_HEADINGS = {
    "cloud": "Stack and cluster",
    "prometheusReplicas": "Metrics, rules and notifications",
    "kubeStateMetrics": "State of the cluster",
    "nodeExporter": "State of the nodes",
    "lokiStorageBackend": "Logs",
    "jaegerStorageBackend": "Traces and the log index",
    "collectorReplicas": "Collectors",
    "grafana": "Grafana",
    "prometheusUrl": "Addresses that people use",
    "podSettings": "Pods, images and network",
    "serviceNamespaces": "Observed services",
    "owner": "EKS",
}
_TYPES = {"integer": "number", "boolean": "true or false", "array": "list"}
_INTRODUCTION = """\
These are all keys that a stack file (`Pulumi.<stack>.yaml`) may set, each with the prefix `observability:`.
A stack file only chooses values; the defaults are in `Pulumi.yaml`.
An empty text means "not set".
All problems are reported together, with the key, the value and what is allowed, before anything changes.

    pulumi config set --stack staging prometheusReplicas 3
    pulumi config set --stack staging --secret platformSlackUrl https://hooks.slack.com/services/...
"""
_SECRETS = """\
Secrets are encrypted in the stack file (`pulumi config set --secret`), never in plain text.
With `cloud: eks`, each may be a reference instead: `aws-secret:NAME` or `aws-secret:NAME#KEY` is read from AWS Secrets
Manager.
"""


def page() -> str:
    """The page in Markdown."""
    document = stack_files.document(ROOT / "Pulumi.yaml")["config"]
    described = {str(field.alias or name): field.description for name, field in Values.model_fields.items()}
    parts = [f"# Settings\n\n{GENERATED}\n\n{_INTRODUCTION}"]
    rows: list[tuple[str, ...]] = []
    heading = ""
    for key, spec in _keys(document):
        if key in _HEADINGS:
            rows = []
            parts.append("")
            heading = _HEADINGS[key]
        rows.append(_row(key, spec, described[key] or ""))
        parts[-1] = f"## {heading}\n\n{table(('setting', 'default', 'meaning', 'allowed'), rows)}\n"
    parts.append(f"## Secrets\n\n{_SECRETS}\n{table(('secret', 'needed'), _secret_rows())}\n")
    return "\n".join(parts)


def _keys(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((key, cast(dict[str, Any], spec)) for key, spec in document.items() if ":" not in key)


def _row(key: str, spec: dict[str, Any], allowed: str) -> tuple[str, ...]:
    kind = _TYPES.get(spec["type"], "")
    return f"`{key}`", _default(spec), " ".join(str(spec["description"]).split()), allowed or kind


def _default(spec: dict[str, Any]) -> str:
    if "default" not in spec:
        return "required"
    value = spec["default"]
    if value in ("", [], {}):
        return "not set" if value == "" else "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _secret_rows() -> Iterator[tuple[str, str]]:
    for key, channels in sorted(routing.load().secrets().items()):
        yield f"`{key}`", "channel " + ", ".join(f"`{channel}`" for channel in sorted(channels))
    for key, when in values.SECRETS.items():
        yield f"`{key}`", f"when {when}"
