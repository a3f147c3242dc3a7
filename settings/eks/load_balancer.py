"""What the program tells the load balancer's controller, and what settings may therefore not tell it."""

import re
from collections.abc import Iterable

PREFIX = "alb.ingress.kubernetes.io"
ATTRIBUTES = ("deletion_protection.enabled", "routing.http.drop_invalid_header_fields.enabled")
_ANNOTATIONS = (
    *("certificate-arn", "group.name", "healthcheck-path", "inbound-cidrs", "listen-ports", "load-balancer-attributes"),
    *("scheme", "ssl-policy", "ssl-redirect", "subnets", "tags", "target-group-attributes", "target-type"),
)
# Of a login, and of an action that a path names.
_KINDS = re.compile(r"(auth-|actions\.|conditions\.|transforms\.)")


def own_annotations(names: Iterable[str]) -> list[str]:
    """The annotations among these that the program sets itself, or that would open a way around the login."""
    rests = {name: name.removeprefix(f"{PREFIX}/") for name in names if name.startswith(f"{PREFIX}/")}
    return [name for name, rest in rests.items() if rest in _ANNOTATIONS or _KINDS.match(rest)]
