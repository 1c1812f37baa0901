"""GET /info/: what a client shows of this server."""

from typing import Any

from starlette.concurrency import run_in_threadpool

import monailabel
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.strategy import STRATEGIES
from monailabel.server import schema
from monailabel.server.access import Store
from monailabel.server.answers import Json
from monailabel.server.routes import Routes

router = Routes(tags=["Info"])


@router.get("/info/", responses=schema.answer(schema.Info, "what this server has"))
async def info(store: Store) -> Json:
    """Tell what this server has: its datastore and its strategies; models, trainers and scoring are empty."""
    return Json(await run_in_threadpool(_described, store))


def _described(store: LocalDatastore) -> dict[str, Any]:
    # No `config`: 3D Slicer takes a server that sends one for an outdated one.
    return {
        "name": store.name(),
        "description": store.description(),
        "version": monailabel.__version__,
        "labels": [],
        "models": {},
        "trainers": {},
        "strategies": {name: {"description": words} for name, words in STRATEGIES.items()},
        "scoring": {},
        "train_stats": {},
        "datastore": store.status(),
        "read_only": store.read_only,
    }
