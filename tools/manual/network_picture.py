"""Draws the connections that the program's network policies allow. All others are denied."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from components.kubernetes.labels import NAME

_NAMESPACE = "kubernetes.io/metadata.name"
_NAMES, _HEAD, _CELL, _ROW = 210, 150, 62, 34
_STYLE = (
    "<style>.yes{fill:#dbeafe;stroke:#fff}.no{fill:#f8fafc;stroke:#fff}.self{fill:#e2e8f0;stroke:#fff}"
    ".name{font-weight:bold;fill:#0f172a}.small{font-size:11px;fill:#475569}.port{font-size:11px;fill:#1e3a8a}</style>"
)


@dataclass(frozen=True, order=True)
class Place:
    """An app in a namespace. For other peers, the texts describe them, such as `every pod`."""

    namespace: str
    app: str


@dataclass(frozen=True, order=True)
class Connection:
    """An allowed connection."""

    source: Place
    target: Place
    ports: tuple[int, ...]


def allowed(policies: Iterable[Mapping[str, Any]]) -> list[Connection]:
    """The connections that these policies allow, sorted; policies in the form of Kubernetes manifests."""
    found: dict[tuple[Place, Place], set[int]] = {}
    for policy in policies:
        namespace, spec = str(policy["metadata"]["namespace"]), policy["spec"]
        app = spec["podSelector"].get("matchLabels", {}).get(NAME)
        if app is None:
            continue  # the namespace's default policy, which denies everything that no other policy allows
        for rule in spec.get("ingress", []):
            ports = {int(port["port"]) for port in rule.get("ports", []) if not isinstance(port["port"], str)}
            for source in _sources(rule.get("from", []), namespace):
                found.setdefault((source, Place(namespace, app)), set()).update(ports)
    return sorted(Connection(source, target, tuple(sorted(ports))) for (source, target), ports in found.items())


def _sources(peers: Sequence[Mapping[str, Any]], namespace: str) -> Iterator[Place]:
    for peer in peers:
        if "ipBlock" in peer:
            yield Place("outside", str(peer["ipBlock"]["cidr"]))
            continue
        pods = peer.get("podSelector", {}).get("matchLabels", {})
        where = peer.get("namespaceSelector", {}).get("matchLabels", {})
        home = where.get(_NAMESPACE, "namespaces with " + ", ".join(where) if where else "every namespace")
        place = home if "namespaceSelector" in peer else namespace
        yield Place(place, pods.get(NAME) or ("pods with " + ", ".join(pods) if pods else "every pod"))


def picture(connections: Sequence[Connection]) -> str:
    """The connections as an SVG table: callers are rows, called apps are columns, and the cells contain the ports."""
    callers = sorted({one.source for one in connections})
    called = sorted({one.target for one in connections})
    known = {(one.source, one.target): one.ports for one in connections}
    width, height = _NAMES + len(called) * _CELL + 100, _HEAD + len(callers) * _ROW + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">'
        f"<title>Connections that the network policies allow</title>{_STYLE}",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text class="small" x="20" y="{_HEAD - 12}">caller &#8595; &#160; called &#8594;</text>',
        *(_heading(place, column) for column, place in enumerate(called)),
    ]
    for row, caller in enumerate(callers):
        y = _HEAD + row * _ROW
        parts.append(_name(caller, 20, y + 15))
        parts += (_cell(caller, place, known, _NAMES + column * _CELL, y) for column, place in enumerate(called))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _heading(place: Place, column: int) -> str:
    x, y = _NAMES + column * _CELL + _CELL // 2, _HEAD - 10
    return f'<g transform="translate({x} {y}) rotate(-50)">{_name(place, 0, -4)}</g>'


def _name(place: Place, x: int, y: int) -> str:
    return (
        f'<text class="name" x="{x}" y="{y}">{escape(_short(place.app))}</text>'
        f'<text class="small" x="{x}" y="{y + 13}">{escape(_short(place.namespace))}</text>'
    )


def _short(text: str) -> str:
    """`text` without the prefix of the project's labels."""
    return text.replace("observability/", "").replace(" with ", ": ")


def _cell(caller: Place, called: Place, known: Mapping[tuple[Place, Place], tuple[int, ...]], x: int, y: int) -> str:
    ports = known.get((caller, called), ())
    kind = "yes" if ports else "self" if caller == called else "no"
    lines = "".join(
        f'<text class="port" x="{x + _CELL // 2}" y="{y + 15 + 13 * number}" text-anchor="middle">{port}</text>'
        for number, port in enumerate(ports)
    )
    title = f"{_short(caller.app)} calls {_short(called.app)}: {', '.join(map(str, ports)) or 'denied'}"
    box = f'<rect class="{kind}" x="{x}" y="{y}" width="{_CELL}" height="{_ROW}">'
    return f"{box}<title>{escape(title)}</title></rect>{lines}"
