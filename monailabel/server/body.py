"""Bounds what a request sends: how much, how slowly, and what is done with a body that nobody reads."""

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from monailabel.server.settings import MIB, Settings

# A client that is still sending cannot read an answer: what it sends after a refusal is taken and dropped, so far.
DRAIN_BYTES = 1024 * MIB
DRAIN_SECONDS = 20.0


class Body:
    """Stands in for `receive`: counts what comes, and ends with 413 or 408 what is too much or too slow."""

    def __init__(self, scope: Scope, receive: Receive, settings: Settings) -> None:
        self._receive = receive
        self._settings = settings
        self._headers = dict(scope["headers"])
        self._began = time.monotonic()
        self._size = 0
        self._ended = not self._announced()

    def _announced(self) -> bool:
        length = self._headers.get(b"content-length", b"")
        return b"transfer-encoding" in self._headers or length not in (b"", b"0")

    def check_length(self) -> None:
        """Refuse a body that says by itself that it is too large, before a byte of it is read."""
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > self._settings.max_upload:
            raise self._too_large()

    async def receive(self) -> Message:
        """Give the next message, as `receive` does."""
        if self._ended:
            return await self._receive()
        message = await self._next(self._patience())
        if self._size > self._settings.max_upload:
            raise self._too_large()
        return message

    async def _next(self, seconds: float) -> Message:
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            self._ended = True
            raise HTTPException(408, "the body came too slowly; send it again", {"Connection": "close"}) from None
        self._size += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message

    def _patience(self) -> float:
        """Give how long the next piece may take, so that the pauses and the whole stay bounded."""
        late = self._began + self._settings.body_timeout + self._size / self._settings.min_rate - time.monotonic()
        return max(0.0, min(self._settings.body_timeout, late))

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than {self._settings.max_upload} bytes, this server's limit")

    async def drain(self) -> None:
        """Take and drop what is still coming, within bounds, so that the client gets to read its answer."""
        until, size = time.monotonic() + DRAIN_SECONDS, self._size + DRAIN_BYTES
        while not self._ended and self._size < size:
            try:
                await self._next(min(self._settings.body_timeout, until - time.monotonic()))
            except HTTPException:
                return


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """Give a body's bytes as they come; a client that leaves in the middle raises ClientDisconnect."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if data := message.get("body", b""):
            yield data


async def limited(receive: Receive, most: int) -> bytes:
    """Read a whole body of at most so many bytes; more is answered with 413."""
    body = bytearray()
    async for data in pieces(receive):
        body += data
        if len(body) > most:
            raise HTTPException(413, f"the body is larger than {most} bytes, the limit for this address")
    return bytes(body)
