"""The label `endpoint`: the template of the route that took a request, with the paths of the mounts above it.

Looked up once per route and remembered: a request whose route is known costs a dictionary's answer. Starlette and
FastAPI say in the scope which route took a request, but not its whole template (mounts, included routers), so an
unknown one is found by asking the routes again, through their public `matches`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Match, Mount
from starlette.types import Scope

UNMATCHED = "unmatched"
"""Of a request that no route takes: its path would make a series per typing mistake."""
BELOW = "/{path}"
"""What stands for a path inside a mounted application whose routes cannot be seen, such as static files."""
_MOST = 4096
"""Routes to remember; a mount with a parameter is remembered once per value of it."""

_Key = tuple[int, int, str]


class Endpoints:
    """Names the endpoints of one application."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        # With the objects whose ids are the key: as long as they are here, no other object has their ids.
        self._known: dict[_Key, tuple[str, object, object]] = {}

    def of(self, scope: Scope, root_path: str) -> str:
        """The endpoint of a request; `scope` is as the application left it, `root_path` what stood in it at first."""
        route = scope.get("route")
        if route is None:
            # Nothing matched, a middleware answered or copied the scope, or the route is Starlette's and not FastAPI's.
            return self._find(scope, root_path)
        # FastAPI: the same route object may be included under several prefixes.
        inclusion = _inclusion(scope)
        key = (id(route), id(inclusion), scope.get("root_path", ""))
        known = self._known.get(key)
        if known is not None:
            return known[0]
        found = self._find(scope, root_path)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (found, route, inclusion)
        return found

    def _find(self, scope: Scope, root_path: str) -> str:
        asked = {
            "type": scope["type"],
            "path": scope["path"],
            "method": scope.get("method", "GET"),
            "headers": scope["headers"],
            "root_path": root_path,
            "path_params": {},
        }
        return _template(self._app.routes, asked) or UNMATCHED


def _inclusion(scope: Mapping[str, Any]) -> object:
    inner = scope.get("fastapi")
    return inner.get("effective_route_context") if isinstance(inner, dict) else None


def _template(routes: Iterable[BaseRoute], scope: Scope) -> str | None:
    """The template of the first route that takes it, else of the first that would with another method."""
    otherwise = None
    for route in _flat(routes):
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        found = _inside(route, {**scope, **child})
        if match is Match.FULL:
            return found
        otherwise = otherwise or found
    return otherwise


def _inside(route: BaseRoute, scope: Scope) -> str | None:
    if not isinstance(route, Mount | Host):
        return getattr(route, "path_format", None)
    prefix = route.path_format.removesuffix(BELOW) if isinstance(route, Mount) else ""
    if not route.routes:
        return prefix + BELOW
    inner = _template(route.routes, scope)
    return None if inner is None else prefix + inner


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """FastAPI keeps an included router as one object, which knows its routes with their prefixes."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
            continue
        for one in contexts():
            yield getattr(one, "starlette_route", None) or one
