"""The /session/ addresses: an image for a while, outside the datastore."""

import os
import stat
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from zipstream import ZipStream

from monailabel.server import errors, schema, upload
from monailabel.server.access import Limits, OpenSessions
from monailabel.server.answers import Json
from monailabel.server.download import Download, Streamed
from monailabel.server.routes import Routes
from monailabel.server.sessions import Incoming, Receiving, Session, SessionNotFoundException

router = Routes(tags=["Session"])

_FILES = schema.body((upload.MULTIPART,), ("files",), files=schema.files("the image, or several files of one image"))


@dataclass(frozen=True)
class _Image:
    """A session's image, open for sending."""

    fd: int
    name: str
    size: int
    mtime: float
    etag: str

    def close(self) -> None:
        os.close(self.fd)


@router.put(
    "/session/",
    responses={**schema.answer(schema.SessionMade, "the new session"), **errors.documented(*errors.CHANGING)},
    openapi_extra=_FILES,
)
async def create(
    request: Request,
    sessions: OpenSessions,
    limits: Limits,
    expiry: Annotated[int, Query(description="seconds after the last use; 0 for the server's own")] = 0,
    uncompress: Annotated[bool, Query(description="unpack the ZIP or TAR file that is sent")] = False,
) -> Json:
    """Keep an image for a while; several files make one image, such as a DICOM series."""
    receiving = sessions.receiving()
    place = await run_in_threadpool(receiving.__enter__)
    try:
        session = await _received(request, limits, place, expiry, uncompress)
    finally:
        await run_in_threadpool(receiving.__exit__, None, None, None)
    return Json({"session_id": session.name, "session_info": session.described()})


async def _received(request: Request, limits: Limits, place: Receiving, expiry: int, uncompress: bool) -> Session:
    async with upload.received(request, limits, "files", place.file, many=True) as form:
        form.file("files")
        files: list[Incoming] = form.files
        return await run_in_threadpool(place.kept, files, expiry, uncompress, limits.max_upload)


@router.get(
    "/session/{session_id}",
    response_class=Response,
    responses={
        200: {
            "description": "the session, or its image's bytes",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/SessionInfo"}},
                **schema.binary("")[200]["content"],
            },
        },
        **errors.documented(404, 422),
    },
)
async def get(
    session_id: str,
    request: Request,
    sessions: OpenSessions,
    update_ts: Annotated[bool, Query(description="let the session's time begin anew")] = False,
    image: Annotated[bool, Query(description="give the image's bytes; of several files, a ZIP")] = False,
) -> Response:
    """Give a session, or the image in it."""
    session = await run_in_threadpool(sessions.get, session_id, update_ts)
    if not image:
        return Json(session.described())
    return await run_in_threadpool(_image, session, request)


def _image(session: Session, request: Request) -> Response:
    if os.path.isdir(session.image):
        archive = ZipStream.from_path(session.image, arcname="/", sized=True)
        return Streamed(iter(archive), len(archive), f"{session.name}.zip", lambda: None)
    return Download(_opened(session), request)


def _opened(session: Session) -> _Image:
    try:
        fd = os.open(session.image, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise SessionNotFoundException(session.name) from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise HTTPException(404, f"session {session.name!r} has no image")
    etag = f"{session.name}-{found.st_size}-{found.st_mtime_ns}"
    return _Image(fd, os.path.basename(session.image), found.st_size, found.st_mtime, etag)


@router.delete(
    "/session/{session_id}",
    responses={**schema.answer(schema.SessionInfo, "the session as it was"), **errors.documented(404, 422)},
)
async def remove(session_id: str, sessions: OpenSessions) -> Json:
    """Remove a session and its image."""
    return Json((await run_in_threadpool(sessions.remove, session_id)).described())
