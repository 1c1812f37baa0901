"""Calls an endpoint right away where a request brings it nothing but text, which needs neither conversion nor checks.

Whatever else a request brings goes FastAPI's way, to the same outcome; that takes most of the time of a short answer.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, params
from starlette.responses import Response

_TEXT = (str, str | None)


class Direct:
    """An endpoint whose parameters are the request, what is taken from the request alone, and values of the query."""

    def __init__(self, endpoint: Callable[..., Awaitable[Response]], parameters: list[inspect.Parameter]) -> None:
        self._endpoint = endpoint
        self._requests: list[str] = []  # parameters by what they get
        self._found: dict[str, Callable[[Request], Awaitable[Any]]] = {}
        self._texts: set[str] = set()
        self._others: set[str] = set()  # what FastAPI has to convert, or to check
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        for parameter in parameters:
            self._sort(parameter)
        self._needed = self._texts - self._defaults.keys()

    def _sort(self, parameter: inspect.Parameter) -> None:
        kind, *told = get_args(parameter.annotation) if _is_annotated(parameter) else (parameter.annotation,)
        name, about = parameter.name, told[0] if told else None
        if kind is Request:
            self._requests.append(name)
        elif isinstance(about, params.Depends) and (find := about.dependency) and _takes_request_alone(find):
            self._found[name] = find
        elif not isinstance(about, params.Query) or (parameter.default is parameter.empty and kind is not str):
            raise TypeError(f"{name} is not of the query")
        elif kind in _TEXT and not about.metadata and not about.alias:
            self._texts.add(name)
        else:
            self._others.add(about.alias or name)

    @classmethod
    def of(cls, endpoint: Callable[..., Any]) -> "Direct | None":
        """Give the way to an endpoint, None where it takes something else."""
        signature = inspect.signature(endpoint, eval_str=True)
        gives = signature.return_annotation
        if not inspect.iscoroutinefunction(endpoint) or not (isinstance(gives, type) and issubclass(gives, Response)):
            return None
        try:
            return cls(endpoint, list(signature.parameters.values()))
        except TypeError:
            return None

    def call(self, request: Request) -> Awaitable[Response] | None:
        """Begin the answer; None for a request that FastAPI has to look at."""
        query = request.scope["query_string"]
        texts = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}
        if not texts.keys() >= self._needed or not self._others.isdisjoint(texts):
            return None
        return self._answer(request, {name: texts[name] for name in self._texts & texts.keys()})

    async def _answer(self, request: Request, texts: dict[str, str]) -> Response:
        found = {name: await find(request) for name, find in self._found.items()}
        return await self._endpoint(**{**self._defaults, **texts, **found}, **dict.fromkeys(self._requests, request))


def _is_annotated(parameter: inspect.Parameter) -> bool:
    return get_origin(parameter.annotation) is Annotated


def _takes_request_alone(dependency: Callable[..., Any]) -> bool:
    if not inspect.iscoroutinefunction(dependency):
        return False
    return [p.annotation for p in inspect.signature(dependency, eval_str=True).parameters.values()] == [Request]
