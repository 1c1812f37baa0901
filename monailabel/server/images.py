"""The /datastore/images addresses: finding images, page by page, and counting them."""

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.concurrency import run_in_threadpool

from monailabel.datastore.find import words
from monailabel.server import errors, schema
from monailabel.server.access import Store
from monailabel.server.answers import Json
from monailabel.server.routes import Routes

router = Routes(tags=["Finding images"])

MOST = 1_000  # images of a page

Several = Annotated[list[str] | None, Query(description="may come several times: any of them will do")]


@router.get("/datastore/images", responses={**schema.answer(schema.Page, "a page"), **errors.documented(422)})
async def images(
    store: Store,
    id: Annotated[str, Query(description="of one image alone")] = "",
    text: Annotated[str, Query(description="in id or comment, in any letter case, with or without accents")] = "",
    state: Several = None,
    tag: Several = None,
    annotator: Several = None,
    structure: Several = None,
    without_tag: Several = None,
    info: Annotated[
        list[str] | None,
        Query(description="KEY=VALUE, or KEY alone; dots lead to keys inside; may come several times: all keys count"),
    ] = None,
    sort: Annotated[str, Query(description="id, time, added, size or state; with - before it the other way")] = "id",
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    skip: Annotated[int, Query(ge=0, description="how many to pass over, instead of `after`")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Json:
    """Find images: those of which everything holds that is given."""
    found = await run_in_threadpool(
        partial(
            store.find_images, text, state, tag, annotator, structure, words(info or []), sort, after, limit,
            without_tag=without_tag, id=id, skip=skip,
        )
    )  # fmt: skip
    return Json(found._asdict())


@router.get("/datastore/images/facets", responses=schema.answer(schema.Facets, "how many there are of each kind"))
async def facets(store: Store) -> Json:
    """Count all images, by what they can be found by."""
    return Json(await run_in_threadpool(store.facets))
