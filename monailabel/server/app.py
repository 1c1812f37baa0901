"""Puts the server together: the datastore, the routers, and what stands around them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

import monailabel
from monailabel.datastore.local import LocalDatastore
from monailabel.server import (
    activelearning,
    datastore,
    errors,
    events,
    history,
    images,
    info,
    login,
    pages,
    pictures,
    session,
    ui,
)
from monailabel.server.answers import Json
from monailabel.server.feed import Feed
from monailabel.server.guard import Guard
from monailabel.server.lending import Lender
from monailabel.server.routes import Directory
from monailabel.server.sessions import Sessions
from monailabel.server.settings import Settings
from monailabel.server.together import Together

SWEEP = 60.0  # seconds between two looks for expired sessions

Progress = Callable[[str, int, int | None], None]

_READABLE = ("Content-Disposition", "Content-Range", "Accept-Ranges", "ETag")  # what other origins' scripts may see


def open_datastore(settings: Settings, progress: Progress | None = None) -> LocalDatastore:
    """Open the datastore that the settings name."""
    store = LocalDatastore(
        settings.folder,
        extensions=settings.extensions,
        auto_reload=settings.auto_reload,
        read_only=settings.read_only,
        follow_links=settings.follow_links,
        layout=settings.layout,
        recursive=settings.recursive,
        progress=progress,
    )
    store.wait_until_recorded()
    return store


def create_app(settings: Settings, store: LocalDatastore | None = None) -> FastAPI:
    """Make the application; it opens the datastore where none is given, and closes it at its end in either case."""
    app = FastAPI(
        title="monailabel-datastore",
        description="Images, labels and their metadata, for MONAI Label's clients and anyone else.",
        version=monailabel.__version__,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        responses=errors.documented(400),
    )
    app.state.settings = settings
    app.state.given = store
    app.state.lender = Lender()
    app.state.renders = pictures.Renders()
    errors.install(app)
    for part in (ui, pages, info, datastore, history, images, events, pictures, activelearning, session, login):
        part.router.add_to(app)
    app.router.routes.insert(0, Directory(app.router.routes))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            expose_headers=_READABLE,
        )
    app.add_middleware(Guard, settings=settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.sessions = Sessions(settings.session_path, settings.session_expiry)
    app.state.datastore = app.state.given or await run_in_threadpool(open_datastore, settings)
    app.state.samples = Together(partial(activelearning.answers, app.state.datastore))
    app.state.feed = Feed(app.state.datastore, settings.heartbeat)
    sweeping = asyncio.create_task(_sweep(app.state.sessions))
    try:
        yield
    finally:
        sweeping.cancel()
        app.state.feed.close()
        app.state.lender.close()
        app.state.datastore.close()


async def _sweep(sessions: Sessions) -> None:
    while True:
        with suppress(OSError):
            await run_in_threadpool(sessions.sweep)
        await asyncio.sleep(SWEEP)
