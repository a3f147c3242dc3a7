"""The label `endpoint`: the template of the route that handled a request, including the paths of mounts above it.

Templates are cached per route, so a request to a known route costs one dictionary lookup. The scope contains the route
that handled a request, but not its whole template (mounts, included routers). Therefore the template of an unknown
route is found by matching the routes again, with their public method `matches`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Match, Mount
from starlette.types import Scope

UNMATCHED = "unmatched"
"""Endpoint of requests without a route. Their paths would create a series per typing mistake."""
BELOW = "/{path}"
"""Placeholder for paths in a mounted application without visible routes, such as static files."""
_MOST = 4096
"""Maximum number of cached routes; a mount with a parameter is cached once per value."""
# What routing writes into the scope, and must not find there when the routes are matched again.
_ROUTED = ("route", "endpoint", "fastapi")

_Key = tuple[int, int, str]


class Endpoints:
    """Names the endpoints of one application."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        # Also holds the objects whose ids form the key, so that no other object can get these ids.
        self._known: dict[_Key, tuple[str, object, object]] = {}

    def of(self, scope: Scope, root_path: str, *, routed: bool = True) -> str:
        """The endpoint of a request. `scope` is that after the request, `root_path` its value before routing.

        `routed`: the router has had the request, so that `root_path` is what it matched with.
        """
        route = scope.get("route")
        if route is None:
            # No route matched, a middleware answered or copied the scope, or the release of Starlette names none.
            found = self._find(scope, root_path)
            if found is None and not routed:
                # The middleware that answered may have changed the root path before.
                found = self._find(scope, scope.get("root_path", ""))
            return found or UNMATCHED
        # In FastAPI the same route object may be included under several prefixes.
        inclusion = _inner(scope).get("effective_route_context")
        key = (id(route), id(inclusion), scope.get("root_path", ""))
        known = self._known.get(key)
        if known is not None:
            return known[0]
        found = self._find(scope, root_path)
        if isinstance(route, Mount | Host):
            # What it leads to has answered without a route of its own, such as a middleware: the next path may differ.
            return found or UNMATCHED
        if found is None:
            return getattr(route, "path_format", UNMATCHED)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (found, route, inclusion)
        return found

    def _find(self, scope: Scope, root_path: str) -> str | None:
        original = {"method": "GET", **scope, "root_path": root_path, "path_params": {}}
        for name in _ROUTED:
            original.pop(name, None)
        return _template(self._app.routes, original, _inner(scope).get("frontend_path"))


def _inner(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """What FastAPI writes into the scope."""
    inner = scope.get("fastapi")
    return inner if isinstance(inner, dict) else {}


def _template(routes: Iterable[BaseRoute], scope: Scope, frontend: str | None) -> str | None:
    """The template of the first route that matches, or else of the first that matches except for the method.

    `frontend` is the path below a front end (`FastAPI.frontend`), whose routes are not among the others.
    """
    partial = None
    for route in _flat(routes):
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        found = _inside(route, {**scope, **child}, frontend)
        if match is Match.FULL:
            return found
        partial = partial or found
    return partial or _of_frontend(scope, frontend)


def _of_frontend(scope: Scope, below: str | None) -> str | None:
    path, root = scope["path"], scope["root_path"]
    if below is None or not path.endswith(below):
        return None
    inside = path[len(root) :] if root and path.startswith(root) else path
    return inside[: len(inside) - len(below)].rstrip("/") + BELOW


def _inside(route: BaseRoute, scope: Scope, frontend: str | None) -> str | None:
    if not isinstance(route, Mount | Host):
        return getattr(route, "path_format", None)
    prefix = route.path_format.removesuffix(BELOW) if isinstance(route, Mount) else ""
    if not route.routes:
        return prefix + BELOW
    inner = _template(route.routes, scope, frontend)
    return None if inner is None else prefix + inner


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes. FastAPI represents an included router as one object that contains its routes with their prefixes."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
            continue
        for included in contexts():
            yield getattr(included, "starlette_route", None) or included
