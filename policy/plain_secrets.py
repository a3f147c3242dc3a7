"""Rules for secrets: they are in a Secret or behind a reference, never readable in a pod or ConfigMap."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from policy.pods import containers, pod_spec
from policy.resource import Resource, Rule, at, elements

_CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
# Description -> pattern of a secret. Messages contain the description and never the value.
_SHAPES = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a Slack webhook": re.compile(r"https://hooks\.slack\.com/services/\w"),
    "a PagerDuty key": re.compile(r"routing_?key[\"']?[ \t]*[:=][ \t]*[\"']?\w{30,}", re.IGNORECASE),
    "a login inside a URL": re.compile(r"\bhttps?://[^\s/:@$\"']+:[^\s/@$\"']+@"),
    # A key that names a secret, with a literal value. References ($VAR, ${...}, $__file{...}, <secret>), files and
    # blocks do not match.
    "a literal password or token": re.compile(
        r"(?im)^[\s\"'\-]*[\w.-]*(password|passwd|secret|token|api[_-]?key)[\"']?[ \t]*[:=]"
        r"(?![ \t]*([\"']?(\$|<|/|\{|\[|true\b|false\b|null\b|$)|[#|>]))[ \t]*[\"']?[^\s\"']{4,}"
    ),
}
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|token|api_?key|credential|private_?key)(?!.*_(file|path|url)$)")


def _config_map(resource: Resource) -> Iterator[str]:
    if resource.type != _CONFIG_MAP:
        return
    if "data" in resource.secret:
        yield "data is derived from a secret; allowed: a Secret"
    for name, text in sorted(_texts(resource.props.get("data"))):
        yield from (f"data[{name}] has {shape}; allowed: a Secret" for shape in shapes(text))


def _texts(data: Any) -> list[tuple[str, str]]:  # noqa: ANN401 (inputs have no static type)
    known = cast(Mapping[str, Any], data) if isinstance(data, Mapping) else {}
    return [(name, text) for name, text in known.items() if isinstance(text, str)]


def shapes(text: str) -> list[str]:
    """Descriptions of the secrets that a text seems to contain."""
    return [shape for shape, pattern in _SHAPES.items() if pattern.search(text)]


def _pod(resource: Resource) -> Iterator[str]:
    pod = pod_spec(resource)
    if pod is not None and "spec" in resource.secret:
        yield "spec is derived from a secret; allowed: a reference to a Secret"
    for container in containers(pod):
        name = at(container, "name")
        for variable in elements(at(container, "env")):
            yield from (f"container {name}: {problem}" for problem in _variable(variable))
        for argument in (*elements(at(container, "command")), *elements(at(container, "args"))):
            yield from (f"container {name}: an argument has {shape}" for shape in shapes(str(argument)))


def _variable(variable: Any) -> Iterator[str]:  # noqa: ANN401 (inputs have no static type)
    name, value = at(variable, "name"), at(variable, "value")
    if not isinstance(value, str) or not value:
        return
    if _SECRET_NAME.search(str(name)) and not value.startswith(("/", "$")):
        yield f"env {name} has a literal value; allowed: secretKeyRef, or a file"
    yield from (f"env {name} has {shape}; allowed: secretKeyRef, or a file" for shape in shapes(value))


RULES = (
    Rule(name="config-map-no-secret", description="A ConfigMap contains no secret.", check=_config_map),
    Rule(
        name="pod-no-secret",
        description="A pod refers to secrets; its environment and arguments contain none.",
        check=_pod,
    ),
)
