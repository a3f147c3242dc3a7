"""Which names of services become labels of log streams and span metrics. Pure.

A program may say any name, and each new one makes a stream in Loki and seventeen series in Prometheus, whose numbers
are limited for all senders together. So only names that somebody wrote down become labels: as the app of a pod, in
rules/contract, or in an annotation of the pod. Another name is replaced by the pod's app.
"""

import re
from collections.abc import Mapping, Sequence

from alerting.contract import EVERYWHERE, SERVICE

ANNOTATION = "observability/services"
"""Annotation of a pod: the services that its programs name, at most 16, such as `checkout,refunds`."""
DECLARED = f"k8s.pod.annotations.{ANNOTATION}"
"""Resource attribute in which the agent passes the annotation on; programs cannot set it, see claims."""

# One pod with all of them is 16 streams.
_DECLARED_NAMES = 16


def known(service: str, namespace: str, services: Mapping[str, Sequence[str]]) -> str:
    """A condition: the attribute `service` of a resource holds a name that may become a label.

    `namespace` is the attribute with the sender's namespace, and `services` are names by namespace.
    """
    value, where, app, declared = (_attribute(name) for name in (service, namespace, "app", DECLARED))
    listed = f"^{SERVICE}(,{SERVICE}){{0,{_DECLARED_NAMES - 1}}}$"
    names = [
        f"{value} == {app}",
        f'(IsMatch({declared}, "{listed}") and ContainsValue(Split({declared}, ","), {value}))',
    ]
    for at, found in sorted(services.items()):
        match = f'IsMatch({value}, "^({"|".join(_quoted(name) for name in found)})$")'
        names.append(match if at == EVERYWHERE else f'({where} == "{at}" and {match})')
    return f"(IsString({value}) and ({' or '.join(names)}))"


def metric_names(services: Mapping[str, Sequence[str]]) -> list[str]:
    """Statements that leave only names that may become a label, before spans are counted."""
    name, condition = _attribute("service.name"), known("service.name", "k8s.namespace.name", services)
    return [
        f"set({name}, {_attribute('app')}) where not {condition}",
        # The sender has no app: it is on the host network, as no pod has its address.
        f'set({name}, "unknown") where not {condition}',
    ]


def _attribute(name: str) -> str:
    return f'resource.attributes["{name}"]'


def _quoted(name: str) -> str:
    return re.escape(name).replace("\\", "\\\\")
