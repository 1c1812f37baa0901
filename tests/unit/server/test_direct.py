"""Requests that bring nothing but text are answered without FastAPI's general way, and as by it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Query, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monailabel.server.answers import Json
from monailabel.server.direct import Direct
from monailabel.server.routes import Directory, Routes

Answer = tuple[int, bytes]
WORDS = st.sampled_from(["a", "", "1", "+", "%20", "%C3%A9", "%", "a b", "é", "=", "0", "true"])
NAMES = st.sampled_from(["text", "other", "number", "short", "unknown", ""])
router = Routes()


async def _stored(request: Request) -> str:
    return f"of {request.url.path}"


async def _texts(
    request: Request, store: Annotated[str, Depends(_stored)], text: Annotated[str, Query()], other: str | None = None
) -> Json:
    raise NotImplementedError  # `other` is not marked as of the query


@router.get("/some")
async def _some(
    text: Annotated[str, Query()],
    request: Request,
    store: Annotated[str, Depends(_stored)],
    other: Annotated[str | None, Query()] = "as it is",
    number: Annotated[int | None, Query()] = None,
    short: Annotated[str, Query(max_length=2)] = "",
) -> Json:
    """Tell what came, and refuse some of it."""
    if text == "a":
        raise HTTPException(409, "refused")
    return Json([text, other, number, short, store, request.url.query])


def _asked(app: FastAPI, path: str, query: str, method: str = "GET") -> Answer:
    """Give an application's answer."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query.encode("utf-8"),
        "headers": [(b"host", b"localhost")], "server": ("localhost", 80), "client": ("localhost", 1),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


@pytest.fixture(scope="module")
def apps() -> tuple[FastAPI, FastAPI]:
    """Give one application that FastAPI serves alone, and one with the directory before it."""
    plain, direct = FastAPI(), FastAPI()
    router.add_to(plain)
    router.add_to(direct)
    direct.router.routes.insert(0, Directory(direct.router.routes))
    return plain, direct


@given(st.lists(st.tuples(NAMES, WORDS), max_size=5))
def test_any_query_is_answered_as_fastapi_answers_it(
    apps: tuple[FastAPI, FastAPI], parts: list[tuple[str, str]]
) -> None:
    """Missing, repeated, empty, unknown and wrong parameters: status and body are those of FastAPI's way."""
    query = "&".join(f"{name}={word}" for name, word in parts)
    plain, direct = apps
    assert _asked(direct, "/some", query) == _asked(plain, "/some", query)


def test_a_method_that_is_not_is_refused_as_by_fastapi(apps: tuple[FastAPI, FastAPI]) -> None:
    """405, whatever the query holds."""
    assert [_asked(app, "/some", "text=b", "POST")[0] for app in apps] == [405, 405]


def test_text_alone_goes_the_short_way(apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no conversion is answered without FastAPI; what needs one is not."""

    async def taken(*_: Any) -> None:
        raise AssertionError("FastAPI was asked")

    _, direct = apps
    route = next(route for route in direct.routes if getattr(route, "path", "") == "/some")
    monkeypatch.setattr(type(route), "handle", taken)
    assert _asked(direct, "/some", "text=b&other=c")[0] == 200
    for query in ("text=b&number=1", "text=b&short=1", "other=c", ""):
        with pytest.raises(AssertionError, match="FastAPI was asked"):
            _asked(direct, "/some", query)


def _endpoints() -> list[Callable[..., Any]]:
    async def body(data: dict[str, Any]) -> Json:
        raise NotImplementedError

    async def required(number: Annotated[int, Query()]) -> Json:
        raise NotImplementedError

    async def model(text: Annotated[str, Query()]) -> dict[str, str]:
        raise NotImplementedError

    def threaded(text: Annotated[str, Query()]) -> Json:
        raise NotImplementedError

    async def nested(found: Annotated[Any, Depends(model)]) -> Json:
        raise NotImplementedError

    return [body, required, model, threaded, nested, _texts]


@pytest.mark.parametrize("endpoint", _endpoints(), ids=lambda endpoint: endpoint.__name__)
def test_what_takes_something_else_is_left_to_fastapi(endpoint: Callable[..., Awaitable[Response]]) -> None:
    """Bodies, numbers that must be there, models to be checked, threads and dependencies of dependencies."""
    assert Direct.of(endpoint) is None
