"""The annotations and attributes of the load balancer that the program sets, so that no setting may set them."""

import re
from collections.abc import Iterable

PREFIX = "alb.ingress.kubernetes.io"
ATTRIBUTES = ("deletion_protection.enabled", "routing.http.drop_invalid_header_fields.enabled")
_ANNOTATIONS = (
    *("certificate-arn", "group.name", "healthcheck-path", "inbound-cidrs", "listen-ports", "load-balancer-attributes"),
    *("scheme", "ssl-policy", "ssl-redirect", "subnets", "tags", "target-group-attributes", "target-type"),
)
# Prefixes of the annotations that require a login (`auth-`), and of those that define what a path does.
_KINDS = re.compile(r"(auth-|actions\.|conditions\.|transforms\.)")


def own_annotations(names: Iterable[str]) -> list[str]:
    """The annotations among these that the program sets itself, or that would open a way around the login."""
    rests = {name: name.removeprefix(f"{PREFIX}/") for name in names if name.startswith(f"{PREFIX}/")}
    return [name for name, rest in rests.items() if rest in _ANNOTATIONS or _KINDS.match(rest)]
