"""The addresses of one part of the interface, and how a request finds its own among all."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

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
        """Add each route and its twin."""
        for path, endpoint, options in self._routes:
            app.add_api_route(path, endpoint, **options)
            if twin := path.removesuffix("/") if path.endswith("/") else path + "/":
                app.add_api_route(twin, endpoint, **options | {"include_in_schema": False})


class Directory(BaseRoute):
    """Stands before all routes and knows the one of each fixed address; those with parameters it tries in turn."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._fixed: dict[tuple[str, str], APIRoute] = {}
        self._others: list[APIRoute] = []
        for route in routes:
            if isinstance(route, APIRoute) and route.param_convertors:
                self._others.append(route)
            elif isinstance(route, APIRoute):
                self._fixed |= {(method, route.path): route for method in route.methods or ()}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route of a request; one that is not found here is left to the routes themselves."""
        if scope["type"] == "http":
            route = self._fixed.get((scope["method"], scope["path"]))
            for found in self._others if route is None else (route,):
                match, child = found.matches(scope)
                if match is Match.FULL:
                    return match, child
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the route that was found."""
        await scope["route"].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Know no names: the routes have their own."""
        raise NoMatchFound(name, path_params)
