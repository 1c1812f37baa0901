"""What an endpoint reaches: the datastore, the settings, and a way to change things under the client's name."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from monailabel.datastore.local import LocalDatastore
from monailabel.server.feed import Feed
from monailabel.server.sessions import Sessions
from monailabel.server.settings import Settings

T = TypeVar("T")

ANONYMOUS = "anonymous"  # a change over HTTP whose client does not say who it is
MAX_ACTOR = 200  # characters of a client's name that are kept with a change


async def _datastore(request: Request) -> LocalDatastore:
    store: LocalDatastore = request.app.state.datastore
    return store


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


async def _feed(request: Request) -> Feed:
    feed: Feed = request.app.state.feed
    return feed


Store = Annotated[LocalDatastore, Depends(_datastore)]
Limits = Annotated[Settings, Depends(_settings)]
OpenSessions = Annotated[Sessions, Depends(_sessions)]
OpenFeed = Annotated[Feed, Depends(_feed)]
Client = Annotated[str | None, Query(description="who makes the change, as `client_id` in the info of others")]


async def changed(store: LocalDatastore, info: dict[str, Any], change: Callable[[], T]) -> T:
    """Make a change in a thread, under the name that the client gives itself in `info["client_id"]`."""

    def under_name() -> T:
        with store.acting_as(actor(info)):
            return change()

    return await run_in_threadpool(under_name)


async def quickly(store: LocalDatastore, question: Callable[[], T]) -> T:
    """Answer right here what takes microseconds, a tenth of what handing it to a thread takes.

    A read-only datastore may have to copy its catalog first.
    """
    return await run_in_threadpool(question) if store.read_only else question()


def actor(info: dict[str, Any]) -> str:
    """Give the name under which a client's changes are recorded."""
    name = info.get("client_id")
    if not isinstance(name, str):
        return ANONYMOUS
    return "".join(c for c in name[:MAX_ACTOR] if c.isprintable()).strip() or ANONYMOUS


def meant(store: LocalDatastore, request: Request, parameter: str, given: str) -> str:
    """Give the image's id that a query means.

    Some clients quote ids, so that `+` stands for a space, and some do not: where there is no image with a space, the
    one with a plus sign is meant.
    """
    if " " not in given or store.get_image_info(given):
        return given
    for part in request.scope["query_string"].decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name == parameter and store.get_image_info(unquote(value)):
            return unquote(value)
    return given
