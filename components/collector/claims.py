"""Removes what a program says of its own identity. The agent knows the sender by the connection."""

from alerting.base import Document

# Attributes that identify the sender. They come from the connection, never from the sender, except `service.name`.
_CLAIMS = "^(k8s[.].*|namespace|app|service|service_name|pod|container|node)$"
# Jaeger shows the agent's names beside those of a span. The others are words of many programs.
_SPAN_CLAIMS = "^(k8s[.].*)$"
CLAIMED = "claimed_"
"""Prefix of an attribute with which a program said who it is."""


def processor() -> Document:
    """A transform processor that deletes attributes with which a program could write to another app's logs.

    In a scope, a record, a span and an event they are renamed: there a store would show them in place of the truth, but
    a program may mean something else by them.
    """

    def renamed(place: str, claims: str) -> str:
        return f'replace_all_patterns({place}.attributes, "key", "{claims}", "{CLAIMED}$$1")'

    resource = {"statements": [f'delete_matching_keys(resource.attributes, "{_CLAIMS}")']}
    return {
        # Attributes of a point are renamed where labels are limited, see pushed_metrics.
        "metric_statements": [resource],
        "log_statements": [
            resource,
            {"statements": [renamed("scope", _CLAIMS)]},
            {"statements": [renamed("log", _CLAIMS)]},
        ],
        "trace_statements": [
            resource,
            {"statements": [renamed("scope", _CLAIMS)]},
            {"statements": [renamed("span", _SPAN_CLAIMS)]},
            {"statements": [renamed("spanevent", _SPAN_CLAIMS)]},
        ],
    }
