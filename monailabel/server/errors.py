"""One shape for every error, and which status each kind has.

404  ImageNotFoundException, LabelNotFoundException, SessionNotFoundException, no such address
400  InvalidInputException, a body that cannot be read, an address that is not UTF-8
409  ConflictException
412  VersionConflictException
403  ReadOnlyException
415  UnreadableImageException
422  a parameter or part that is missing or of the wrong kind
413, 408  a body that is too large or too slow
507  no space is left on the server's disk
503  DamagedDatastoreException
"""

import errno
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from monailabel.interfaces.exception import (
    ConflictException,
    DamagedDatastoreException,
    ImageNotFoundException,
    InvalidInputException,
    LabelNotFoundException,
    MONAILabelException,
    ReadOnlyException,
    UnreadableImageException,
    VersionConflictException,
)
from monailabel.server.answers import Json
from monailabel.server.sessions import SessionNotFoundException

log = logging.getLogger(__name__)

_STATUS: dict[type[MONAILabelException], int] = {
    ImageNotFoundException: 404,
    LabelNotFoundException: 404,
    SessionNotFoundException: 404,
    UnreadableImageException: 415,
    InvalidInputException: 400,
    VersionConflictException: 412,
    ConflictException: 409,
    ReadOnlyException: 403,
    DamagedDatastoreException: 503,
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM)


class Error(BaseModel):
    """What every answer from 400 on holds."""

    detail: str = Field(description="one sentence for people: what was refused, why, and what to do")
    version: int | None = Field(None, description="412 of a change: the version under which what was sent is kept")


_MEANING = {
    400: "a name, a body or a form field that cannot be read",
    403: "the datastore is read-only, or a web page of another origin asks for a change",
    404: "there is no such thing",
    408: "the body came too slowly",
    409: "the request contradicts what is there",
    412: "the file is another version than the one asked for, or there is one already",
    413: "the body is too large",
    415: "the file cannot be shown: its format is not read here, it is damaged, or too large",
    416: "the file has no such range",
    422: "a parameter or a part is missing, or of the wrong kind",
    503: "as many clients as there may be ask for this already",
    507: "no space is left on the server's disk",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give what OpenAPI says of these errors."""
    return {status: {"model": Error, "description": _MEANING[status]} for status in statuses}


CHANGING = (403, 408, 413, 422, 507)  # what every change can end with


def answer(status: int, detail: str, headers: Any = None) -> Response:
    """Give an error's answer."""
    return Json({"detail": detail}, status, headers)


def install(app: FastAPI) -> None:
    """Give all errors of an application the one shape."""
    handlers: dict[type[Exception], Callable[[Request, Any], Any]] = {
        HTTPException: _http,
        RequestValidationError: _parameters,
        MONAILabelException: _ours,
        OSError: _disk,
        ClientDisconnect: _gone,
        Exception: _unforeseen,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        return answer(405, f"{request.method[:20]} is not for this address; it takes {allowed}", {"Allow": allowed})
    detail = error.detail if error.detail != "Not Found" else "no such address; /docs lists those that there are"
    return answer(error.status_code, str(detail), error.headers)


def _methods(request: Request) -> list[str]:
    """Give the methods that an address takes: each of them is a route of its own, and only we see them together."""
    routes, scope = request.app.router.routes, dict(request.scope)
    return [m for m in _METHODS if any(route.matches(scope | {"method": m})[0] is Match.FULL for route in routes)]


async def _parameters(_request: Request, error: RequestValidationError) -> Response:
    sentences = [f"{' '.join(str(part) for part in e['loc'])}: {e['msg'].lower()}" for e in error.errors()]
    return answer(422, "; ".join(sentences))


async def _ours(request: Request, error: MONAILabelException) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return answer(status, "the datastore cannot be read; the server's log says what mends it")
    if isinstance(error, VersionConflictException):
        return Json({"detail": str(error), "version": error.version}, status)
    return answer(status, _without_paths(request, str(error)))


def _without_paths(request: Request, message: str) -> str:
    return message.replace(str(request.app.state.datastore.path), "<datastore>")


async def _disk(request: Request, error: OSError) -> Response:
    log.error("%s %s: %s", request.method, request.url.path, error)
    if error.errno in _NO_SPACE:
        return answer(507, "no space is left on the server's disk; nothing was changed")
    if error.errno in _NO_WRITING:
        return answer(403, "the server may not write there; the owner of its folder can change that")
    if error.errno == errno.ENOENT:
        return answer(500, "files that the server needs are gone; its log says which, and starting it again helps")
    return answer(500, "the server's disk failed; its log says how")


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    return answer(400, "the client left before its request was complete")  # which nobody reads


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(500, "something went wrong inside the server; its log says what")
