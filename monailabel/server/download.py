"""Sends a file that is already open: headers and bytes of one version, whatever happens to its name meanwhile."""

import asyncio
import mimetypes
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import IO, Protocol
from urllib.parse import quote

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from monailabel.server import errors
from monailabel.server.conditions import Validators, Wanted, wanted
from monailabel.server.settings import MIB

CHUNK = MIB  # bytes that go out at once where the server cannot send the file by itself
BATCH = MIB // 4  # bytes of an archive that go out at once: each client that reads slowly holds several
INLINE = 64 * 1024  # bytes that are read without a thread
SMALL = 4 * MIB  # up to here the server is not asked to send a file by itself, and a document stays in memory


class Opened(Protocol):
    """An open file, and what is known of exactly this version of it."""

    @property
    def fd(self) -> int: ...  # noqa: D102 - a descriptor that can be read
    @property
    def name(self) -> str: ...  # noqa: D102 - what a client should save it as
    @property
    def size(self) -> int: ...  # noqa: D102 - bytes
    @property
    def mtime(self) -> float: ...  # noqa: D102 - seconds
    @property
    def etag(self) -> str: ...  # noqa: D102 - without quotes
    def close(self) -> None: ...  # noqa: D102


class Download(Response):
    """The answer with a file; it closes the file when it has been sent, or could not be."""

    def __init__(self, file: Opened, request: Request, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a file; `headers` go with it, or in place of those that are usual."""
        self._file = file
        validators = Validators(f'"{file.etag}"', int(file.mtime))
        self._wanted = wanted(request.method, request.headers, validators, file.size)
        self._head = request.method == "HEAD"
        self.background = None
        self.status_code = self._wanted.status
        self.body = b""
        self.init_headers(_headers(file, validators, self._wanted) | dict(headers or {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            if self.status_code in (412, 416):
                await self._refuse(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if self._head or not self._wanted.length:
                await send({"type": "http.response.body", "body": b""})
            else:
                await send_bytes_of(self._file.fd, self._wanted, scope, receive, send)
        finally:
            self._file.close()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = self._file.size
        if self.status_code == 412:
            refusal = errors.answer(412, "the file is another version than the one that If-Match asks for")
        else:
            detail = f"there is no such range; the file has {size} bytes"
            refusal = errors.answer(416, detail, {"Content-Range": f"bytes */{size}"})
        await refusal(scope, receive, send)


def _headers(file: Opened, validators: Validators, part: Wanted) -> dict[str, str]:
    headers = {"etag": validators.etag, "last-modified": validators.last_modified, "accept-ranges": "bytes"}
    if part.status == 304:
        return headers
    headers["content-type"] = mimetypes.guess_type(file.name, strict=False)[0] or "application/octet-stream"
    headers["content-length"] = str(part.length)
    headers["content-disposition"] = disposition(file.name)
    if part.status == 206:
        headers["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{file.size}"
    return headers


def disposition(name: str) -> str:
    r"""Give the Content-Disposition for a file's name (RFC 6266).

    >>> disposition("a b.nii.gz")
    'attachment; filename="a b.nii.gz"'
    >>> disposition("Schädel.nii")
    'attachment; filename="Sch_del.nii"; filename*=UTF-8\\'\\'Sch%C3%A4del.nii'
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    header = f'attachment; filename="{plain}"'
    if plain == name:
        return header
    return f"{header}; filename*=UTF-8''{quote(name, safe='', errors='surrogateescape')}"


async def send_bytes_of(fd: int, part: Wanted, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a part of an open file after the head of the answer; the server sends a large one by itself."""
    path = None
    if part.status == 200 and part.length > SMALL and "http.response.pathsend" in scope.get("extensions", {}):
        path = scope["app"].state.lender.lend(fd)
    if path is not None:
        await send({"type": "http.response.pathsend", "path": path})
    else:
        await send_chunks(_chunks(fd, part), receive, send, inline=part.length <= INLINE)


def _chunks(fd: int, part: Wanted) -> Iterator[bytes]:
    position, end = part.start, part.start + part.length
    while position < end and (data := os.pread(fd, min(CHUNK, end - position), position)):
        yield data
        position += len(data)


async def send_chunks(chunks: Iterator[bytes], receive: Receive, send: Send, inline: bool = False) -> None:
    """Send a body piece by piece, as fast as the client takes it, until it is complete or the client has left."""
    leaving = asyncio.create_task(left(receive))
    following: Callable[[], Awaitable[bytes]] = _following_inline(chunks) if inline else _following(chunks)
    try:
        while not leaving.done() and (data := await following()):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()


def _following(chunks: Iterator[bytes]) -> Callable[[], Awaitable[bytes]]:
    return lambda: run_in_threadpool(next, chunks, b"")


def _following_inline(chunks: Iterator[bytes]) -> Callable[[], Awaitable[bytes]]:
    async def following() -> bytes:
        return next(chunks, b"")

    return following


async def left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Streamed(Response):
    """The answer with bytes that are made while they go out, of a length known beforehand."""

    def __init__(self, chunks: Iterator[bytes], size: int, name: str, close: Callable[[], None]) -> None:
        self._chunks = _batches(chunks)
        self._close = close
        self.background = None
        self.status_code = 200
        self.body = b""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.init_headers({"content-type": kind, "content-length": str(size), "content-disposition": disposition(name)})

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send_chunks(self._chunks, receive, send)
        finally:
            await run_in_threadpool(self._close)


def _batches(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that not each of them costs a thread's turn."""
    batch = bytearray()
    for chunk in chunks:
        batch += chunk
        if len(batch) >= BATCH:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


class Document(Response):
    """The answer with JSON that waits on disk: a slow client holds neither memory nor a read of the catalog."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.tell()
        self.background = None
        self.status_code = 200
        self.body = b""
        self.init_headers({"content-type": "application/json", "content-length": str(self._size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file as file:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send_bytes_of(file.fileno(), Wanted(200, 0, self._size), scope, receive, send)


def spooled(write: Callable[[Callable[[str], object]], None]) -> IO[bytes]:
    """Give a temporary file with the text that `write` writes piece by piece; the caller closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        write(lambda text: file.write(text.encode()))
        file.flush()
    except BaseException:
        file.close()
        raise
    return file
