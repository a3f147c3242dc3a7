"""Which pods a monitor selects: its namespaces, its selector and the port of an endpoint. Needs only Python.

Discovery gives the labels of objects with each character that is no letter or digit as _, as Prometheus does.
"""

import re
from collections.abc import Collection
from typing import Any

from . import fields, patterns
from .fields import Fields, SkippedError, refusal

SERVICE, POD = "ServiceMonitor", "PodMonitor"
"""Kinds of monitors."""
NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
"""Pattern of the name of an object."""

_META = "__meta_kubernetes_"
_NAMESPACE = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_KEY = r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PORT = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_MOST = 100


def sanitized(key: str) -> str:
    """The label's key as a part of a label's name in Prometheus."""
    return re.sub("[^a-zA-Z0-9_]", "_", key)


def label_key(value: object, where: str) -> str:
    """The key of a label of an object; empty if it is not there."""
    return fields.matching(value, where, _KEY, "the key of a label")


def discovery(spec: Fields, kind: str, namespace: str, listed: Collection[str]) -> list[dict[str, Any]]:
    """Where Prometheus looks for targets. Monitors of the `listed` namespaces may choose others than their own.

    Jobs of equal discovery share its watches and its memory.
    """
    where = "namespaceSelector"
    selector = fields.part(spec.get(where), where)
    fields.only(selector, where, ("any", "matchNames"), {})
    names = [
        fields.matching(one, f"{where}.matchNames[{index}]", _NAMESPACE, "a namespace")
        for index, one in enumerate(fields.items(selector.get("matchNames"), f"{where}.matchNames", _MOST))
    ]
    everywhere = bool(fields.flag(selector.get("any"), f"{where}.any"))
    foreign = everywhere or set(names) - {namespace}
    if foreign and namespace not in listed:
        raise SkippedError(
            f"{where}: selects other namespaces than its own; allowed: only for monitors of the namespaces in "
            "monitorNamespaces"
        )
    if everywhere and kind == SERVICE:
        # The endpoints of a Service name their pods, and are written by whoever may write in its namespace. Within
        # one namespace, Prometheus finds no pods of others.
        raise SkippedError(f"{where}.any: true is not allowed for a ServiceMonitor; allowed: matchNames")
    role = "endpointslice" if kind == SERVICE else "pod"
    if everywhere:
        return [{"role": role}]
    # One for each namespace, which it shares with the monitors of that namespace itself.
    return [{"role": role, "namespaces": {"names": [name]}} for name in sorted(set(names) or {namespace})]


def selected(spec: Fields, kind: str) -> list[dict[str, Any]]:
    """Relabelings that keep the Services or pods that the selector matches; without a selector, all."""
    selector = fields.part(spec.get("selector"), "selector")
    fields.only(selector, "selector", ("matchLabels", "matchExpressions"), {})
    labels = fields.part(selector.get("matchLabels"), "selector.matchLabels")
    expressions = fields.items(selector.get("matchExpressions"), "selector.matchExpressions", _MOST)
    if len(labels) > _MOST:
        raise SkippedError(f"selector.matchLabels: has {len(labels)} labels; allowed: {_MOST}")
    found = [
        _matches("keep", kind, label_key(key, "selector.matchLabels"), [value], f"selector.matchLabels.{key}"[:99])
        for key, value in sorted(labels.items())
    ]
    for index, one in enumerate(expressions):
        where = f"selector.matchExpressions[{index}]"
        expression = fields.part(one, where)
        fields.only(expression, where, ("key", "operator", "values"), {})
        found.append(_expression(expression, where, kind))
    return found


def _expression(expression: Fields, where: str, kind: str) -> dict[str, Any]:
    key = label_key(expression.get("key"), f"{where}.key")
    operator = fields.one_of(expression.get("operator"), f"{where}.operator", ("In", "NotIn", "Exists", "DoesNotExist"))
    values = fields.items(expression.get("values"), f"{where}.values", _MOST)
    if operator in ("In", "NotIn"):
        if not values:
            raise refusal(f"{where}.values", values, "at least one value")
        return _matches("keep" if operator == "In" else "drop", kind, key, values, f"{where}.values")
    if not operator or values:
        raise refusal(where, operator, "an operator, and values only for In and NotIn")
    action = "keep" if operator == "Exists" else "drop"
    return {"action": action, "source_labels": [_present(kind, _required(key, where))], "regex": "true"}


def _matches(action: str, kind: str, key: str, values: list[Any], where: str) -> dict[str, Any]:
    texts = [fields.matching(value, where, _VALUE, "the value of a label") for value in values]
    present = _present(kind, _required(key, where))
    return {
        "action": action,
        "source_labels": [present.replace("_labelpresent_", "_label_", 1), present],
        "regex": f"(?:{'|'.join(map(patterns.literal, texts))});true",
    }


def _required(key: str, where: str) -> str:
    if not key:
        raise refusal(where, key, "the key of a label")
    return key


def _present(kind: str, key: str) -> str:
    return f"{_META}{'service' if kind == SERVICE else 'pod'}_labelpresent_{sanitized(key)}"


def port(endpoint: Fields, kind: str, where: str) -> tuple[list[dict[str, Any]], str]:
    """Relabelings that keep the targets of the endpoint's port, and the port's name for the label `endpoint`.

    A port's number has that name only where the monitor calls it targetPort. Without a port, all are kept.
    """
    by_name, by_number = f"{_META}pod_container_port_name", f"{_META}pod_container_port_number"
    name = fields.matching(endpoint.get("port"), f"{where}.port", _PORT, "the name of a port")
    if name:
        return [_kept(f"{_META}endpointslice_port_name" if kind == SERVICE else by_name, name)], name
    if kind == POD and (number := fields.number(endpoint.get("portNumber"), f"{where}.portNumber")):
        return [_kept(by_number, str(number))], ""
    target = endpoint.get("targetPort")
    if isinstance(target, str):
        name = fields.matching(target, f"{where}.targetPort", _PORT, "the name of a port")
        return ([_kept(by_name, name)], name) if name else ([], "")
    number = fields.number(target, f"{where}.targetPort")
    return ([_kept(by_number, str(number))], str(number)) if number else ([], "")


def _kept(label: str, value: str) -> dict[str, Any]:
    return {"action": "keep", "source_labels": [label], "regex": patterns.literal(value)}
