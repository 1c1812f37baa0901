"""The addresses of events: what happened, page by page or as it happens."""

from typing import Annotated

from fastapi import Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException
from monailabel.server import errors, schema
from monailabel.server.access import OpenFeed, Store
from monailabel.server.answers import dumped
from monailabel.server.feed import MOST_FOLLOWERS, EventStream
from monailabel.server.routes import Routes
from monailabel.server.settings import MIB

router = Routes(tags=["Events"])

PAGE, LARGEST_PAGE = 1_000, 10_000
LARGEST_ANSWER = 16 * MIB  # a page of which the infos are larger ends earlier
LARGEST = 2**62

After = Annotated[int, Query(ge=0, le=LARGEST, description="only events after the one of that number")]


@router.get(
    "/datastore/events",
    responses={**schema.answer(schema.Events, "the events in order, and the number of the newest that there is"),
               **errors.documented(422)},
)  # fmt: skip
async def events(
    store: Store,
    after: After = 0,
    limit: Annotated[int, Query(ge=0, le=LARGEST_PAGE, description="at most that many")] = PAGE,
    image: Annotated[str | None, Query(description="only those about this image and its labels")] = None,
) -> Response:
    """Tell what happened, in order; who asks again after the last number that they saw misses nothing."""
    return Response(await run_in_threadpool(_page, store, after, limit, image), media_type="application/json")


def _page(store: LocalDatastore, after: int, limit: int, image: str | None) -> bytes:
    found = store.events(after, limit, image, most_bytes=LARGEST_ANSWER)
    return dumped({"events": found, "last": store.last_event()})


@router.get(
    "/datastore/events/stream",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": schema.SENT_EVENT}}, "description": "the events"},
        **errors.documented(409, 422, 503),
    },
)
async def stream(
    store: Store,
    feed: OpenFeed,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="begin after that event; without it, with the next one")
    ] = None,
    last_event_id: Annotated[str | None, Header(description="the same, as a browser says it that comes back")] = None,
) -> Response:
    """Tell events as they happen, as server-sent events: `id` is the number, `data` one event as JSON.

    It goes on until the client leaves or the server stops.
    """
    if feed.followers >= MOST_FOLLOWERS:
        raise HTTPException(503, f"{MOST_FOLLOWERS} clients follow the events already; ask /datastore/events instead")
    newest = await run_in_threadpool(store.last_event)
    begin = _number(last_event_id)
    if begin is None:
        begin = newest if after is None else after
    if begin > newest:
        raise ConflictException(f"event {begin} is not there; the newest is {newest}: read everything anew after 0")
    return EventStream(feed, begin)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
