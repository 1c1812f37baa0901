"""The addresses of one part of the interface, and how a request finds its own among all."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import URLPath
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from monailabel.server.direct import Direct

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Routes:
    """Routes that answer with and without the slash at their end, as some clients follow no redirect.

    The address that is written is the documented one. They are added to an application as its own: routers that are
    included in it are searched several times for each request.
    """

    def __init__(self, tags: list[str] | None = None) -> None:
        self._tags = tags
        self._routes: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []

    def get(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Have a function answer GET requests; `options` are those of FastAPI's routes."""
        return self._route("GET", path, options)

    def head(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Have a function answer HEAD requests."""
        return self._route("HEAD", path, options)

    def put(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Have a function answer PUT requests."""
        return self._route("PUT", path, options)

    def post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Have a function answer POST requests."""
        return self._route("POST", path, options)

    def delete(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Have a function answer DELETE requests."""
        return self._route("DELETE", path, options)

    def _route(self, method: str, path: str, options: dict[str, Any]) -> Callable[[Endpoint], Endpoint]:
        def register(endpoint: Endpoint) -> Endpoint:
            self._routes.append((path, endpoint, {"methods": [method], "tags": self._tags} | options))
            return endpoint

        return register

    def add_to(self, app: FastAPI) -> None:
        """Add each route; the application's directory finds it with and without the slash."""
        for path, endpoint, options in self._routes:
            app.add_api_route(path, endpoint, **options)


class Directory(BaseRoute):
    """Stands before all routes and knows the one of each fixed address; those with parameters it tries in turn.

    An address is the same with and without the slash at its end.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._fixed: dict[str, dict[str, APIRoute]] = {}  # by address and method
        self._others: list[APIRoute] = []
        self._direct: dict[Callable[..., Any], Direct] = {}  # by endpoint
        for route in routes:
            if isinstance(route, APIRoute) and route.param_convertors:
                self._others.append(route)
            elif isinstance(route, APIRoute):
                for path in (route.path, _twin(route.path)):
                    known = self._fixed.setdefault(path, {})
                    known.update((method, route) for method in route.methods or () if method not in known)
                if direct := Direct.of(route.endpoint):
                    self._direct[route.endpoint] = direct

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route of a request: wholly, or for another method only."""
        if scope["type"] != "http":
            return Match.NONE, {}
        routes = self._fixed.get(scope["path"])
        if routes is not None:
            route = routes.get(scope["method"])
            if route is None:
                return _matched(next(iter(routes.values())), scope)
            return Match.FULL, {"endpoint": route.endpoint, "route": route, "path_params": {}}
        found = [_matched(route, scope) for route in self._others]
        return max(found, key=lambda match: match[0].value, default=(Match.NONE, {}))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the route that was found."""
        route = scope["route"]
        direct = self._direct.get(scope["endpoint"]) if scope["method"] in route.methods else None
        answer = direct.call(Request(scope, receive, send)) if direct is not None else None
        if answer is None:
            await route.handle(scope, receive, send)
        else:
            await (await answer)(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Know no names: the routes have their own."""
        raise NoMatchFound(name, path_params)


def _matched(route: APIRoute, scope: Scope) -> tuple[Match, Scope]:
    """Match a request with a route under the address that is written, or under its twin."""
    match, child = route.matches(scope)
    if match is Match.NONE:
        match, child = route.matches({**scope, "path": _twin(scope["path"])})
    return match, child


def _twin(path: str) -> str:
    return path.removesuffix("/") if path.endswith("/") else path + "/"
