"""A server with nothing in it: an empty endpoint, and one that makes a durable update of bare SQLite."""

import asyncio
import random
import threading

import apsw
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from benchmarks.limit import durable
from monailabel.server.serve import bind, raise_file_limit, run
from monailabel.server.settings import Settings

EMPTY, RECORD = "/empty", "/record"
_UPDATE = "UPDATE item SET info = ? WHERE id = ?"


def app_of(database: apsw.Connection, ids: list[str]) -> FastAPI:
    """Make the application, over a database as the other limits have it."""
    app = FastAPI(openapi_url=None)
    lock = threading.Lock()

    def record() -> None:
        with lock:
            database.execute(_UPDATE, (f'{{"ts": {random.random()}}}', random.choice(ids))).get

    @app.get(EMPTY)
    async def empty() -> Response:
        return Response(b"{}", media_type="application/json")

    @app.post(RECORD)
    async def recorded() -> Response:
        await run_in_threadpool(record)
        return Response(b"{}", media_type="application/json")

    return app


def serve(database: str, count: int) -> None:
    """Serve as our own server does, until the process is ended."""
    settings = Settings(port=0)
    raise_file_limit()
    with bind(settings) as listening:
        app = app_of(durable(database), [f"0/case_{number:07}.nii.gz" for number in range(count)])
        asyncio.run(run(app, settings, listening, asyncio.Event(), lambda url: print(url, flush=True)))
