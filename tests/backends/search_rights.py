"""What an OpenSearch with the security plugin would let a role do, for the requests that Jaeger sends.

The actions are those of the plugin's documentation (page "Permissions"), and which of them a role needs for the cluster
is in its Utils.isClusterPerm: all of cluster and templates, and bulk, multi search and scroll.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote

_STORES = (
    "indices:data/write/bulk[s]",
    "indices:data/write/index",
    "indices:admin/auto_create",
    "indices:admin/mapping/auto_put",
)


class Need(NamedTuple):
    """An action, and the index on which it acts; empty for the cluster."""

    action: str
    index: str = ""


def refusal(role: Mapping[str, Any], method: str, path: str, body: bytes) -> str:
    """What the role lacks for this request; empty if it has everything."""
    (indices,) = role["index_permissions"]
    for need in needs(method, path.partition("?")[0], body):
        granted = indices["allowed_actions"] if need.index else role["cluster_permissions"]
        inside = not need.index or any(fnmatchcase(need.index, pattern) for pattern in indices["index_patterns"])
        if not inside or not any(fnmatchcase(need.action, pattern) for pattern in granted):
            return f"no permissions for {need}"
    return ""


def needs(method: str, path: str, body: bytes) -> Iterator[Need]:
    """Raises KeyError for a request that is not known here, which is then to be looked up."""
    if path == "/":
        yield Need("cluster:monitor/main")
    elif path.startswith("/_template/"):
        yield Need(f"indices:admin/template/{'put' if method == 'PUT' else 'get'}")
    elif path == "/_bulk":
        yield Need("indices:data/write/bulk")
        for target in _targets(body):
            yield from (Need(action, target) for action in _STORES)
    elif path.endswith("/_msearch"):
        yield Need("indices:data/read/msearch")
        for line in body.splitlines()[::2]:
            # Jaeger's client names one index or several, as around midnight.
            header = json.loads(line)
            yield from _searches(header["indices"] if "indices" in header else header["index"])
    elif found := re.fullmatch(r"/([^/]+)/_search", path):
        yield from _searches(unquote(found[1]).split(","))
    else:
        raise KeyError(f"{method} {path}")


def _targets(body: bytes) -> set[str]:
    actions = [json.loads(line) for line in body.splitlines()[::2]]
    return {target["_index"] for action in actions for target in action.values()}


def _searches(names: str | list[str]) -> Iterator[Need]:
    # A pattern with a star is a name here, which the role's pattern must cover.
    for name in [names] if isinstance(names, str) else names:
        yield Need("indices:data/read/search", name)
