"""Tells events as they happen to any number of clients, which one task looks out for."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from itertools import islice
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from monailabel.datastore.local import LocalDatastore
from monailabel.server.answers import dumped
from monailabel.server.download import left

POLL = 0.5  # seconds between two looks for what other processes committed
MOST_FOLLOWERS = 500  # each keeps a connection, of which the server has a thousand
RECENT = 1_000  # events that are kept ready for those who are up to date,
RECENT_BYTES = 4 * 2**20  # as long as they are not larger than this altogether
PAGE = 100  # events that are read at once,
PIECE = 64 * 1024  # while they are not larger than this, which is also what is sent at once

HEARTBEAT = b": nothing new\n\n"

T = TypeVar("T")

log = logging.getLogger(__name__)


class Feed:
    """The events of a datastore as they come; it looks for them only while somebody follows."""

    def __init__(self, store: LocalDatastore, heartbeat: float) -> None:
        self.followers = 0
        self._store = store
        self._heartbeat = heartbeat
        self._recent: deque[bytes] = deque()  # the newest events as they are sent, without a gap,
        self._recent_bytes = 0
        self._last = 0  # the last of which has this number
        self._news = asyncio.Event()  # set, and replaced by another, when there are new ones
        self._commit = asyncio.Event()  # set when this process committed something
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """Let everybody who follows come to the end."""
        self._closed = True
        self._news.set()

    async def follow(self, after: int) -> AsyncGenerator[bytes, None]:
        """Give the events after a number as they come, and a sign of life where none do, until the feed is closed."""
        with self._followed():
            while not self._closed:
                news = self._news
                piece, after = await self._piece(after)
                if piece:
                    yield piece
                elif not await _set_within(news, self._heartbeat):
                    yield HEARTBEAT

    @contextmanager
    def _followed(self) -> Iterator[None]:
        self.followers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self.followers -= 1
            if not self.followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None
                self._forget()

    async def _piece(self, after: int) -> tuple[bytes, int]:
        """Give some of the events after a number, and the number of the last of them."""
        first = self._last - len(self._recent)
        if after < first:
            events = [written(event) for event in await self._read(after)]
        else:
            events = list(_within(islice(self._recent, after - first, None)))
        return b"".join(events), after + len(events)

    async def _read(self, after: int) -> list[dict[str, Any]]:
        return await self._asked(lambda: self._store.events(after, PAGE, most_bytes=PIECE))

    async def _asked(self, ask: Callable[[], T]) -> T:
        """Ask the datastore in a thread, again while it cannot answer: whoever follows waits."""
        failed = False
        while True:
            try:
                return await run_in_threadpool(ask)
            except Exception as error:
                if self._closed:
                    raise
                if not failed:
                    log.warning("events cannot be read now, and are asked for again: %s", error)
                failed = True
                await asyncio.sleep(POLL)

    # -- looking out ---------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Gather what is new: of this process at once, of others at the next look."""
        loop = asyncio.get_running_loop()
        seen = None

        def told() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._commit.set)

        with self._store.listening(told):
            while True:
                self._commit.clear()
                seen = await self._gather(seen)
                await _set_within(self._commit, POLL)

    async def _gather(self, seen: object) -> object:
        """Take in the events since the last look, unless nobody committed anything; give by what to know that."""
        commits = await self._asked(self._store.commits)
        if commits == seen:
            return seen
        if seen is None:
            self._last = await self._asked(self._store.last_event)
            self._tell()
        while found := await self._read(self._last):
            for event in found:
                self._keep(event)
            self._tell()
        return commits

    def _keep(self, event: dict[str, Any]) -> None:
        if event["action"] == "purged":  # what the catalog has forgotten is not told from memory
            self._forget()
        self._recent.append(written(event))
        self._recent_bytes += len(self._recent[-1])
        self._last = event["seq"]
        while len(self._recent) > 1 and (len(self._recent) > RECENT or self._recent_bytes > RECENT_BYTES):
            self._recent_bytes -= len(self._recent.popleft())

    def _forget(self) -> None:
        self._recent.clear()
        self._recent_bytes = 0

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _within(events: Iterable[bytes]) -> Iterator[bytes]:
    """Give events until they are larger than a piece together, and one at least."""
    size = 0
    for event in events:
        size += len(event)
        if size > PIECE and size > len(event):
            return
        yield event


def written(event: dict[str, Any]) -> bytes:
    """Write an event as a server-sent one (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"id: %d\ndata: %s\n\n" % (event["seq"], dumped(event))


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until an event is set, and tell whether that was within the time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class EventStream(Response):
    """The answer that goes on until the client leaves or the feed is closed."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, after: int) -> None:
        self._feed = feed
        self._after = after
        self.background = None
        self.status_code = 200
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})  # the latter: to nginx

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        leaving = asyncio.create_task(left(receive))
        sending = asyncio.create_task(self._send(send))
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
        await asyncio.wait((sending,))
        if not sending.cancelled():
            sending.result()
            await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send) -> None:
        """Send one piece after the other, each when the client has taken the one before."""
        await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})  # the head goes out with it
        async with aclosing(self._feed.follow(self._after)) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
