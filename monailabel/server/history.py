"""The addresses of earlier versions: which there are, and bringing one back."""

from functools import partial
from typing import Annotated

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool

from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException
from monailabel.server import errors, schema
from monailabel.server.access import Client, Store, changed, meant
from monailabel.server.answers import Json
from monailabel.server.routes import Routes

router = Routes(tags=["History"])

Image = Annotated[str, Query(description="the image's id")]
Tag = Annotated[str, Query(description="the label's tag")]

_VERSIONS = {**schema.answer(list[schema.Version], "the versions, the oldest first"), **errors.documented(404, 422)}


@router.get("/datastore/image/versions", responses=_VERSIONS)
async def image_versions(image: Image, request: Request, store: Store) -> Json:
    """Tell every version of an image, of a removed one too."""
    image = meant(store, request, "image", image)
    versions = await run_in_threadpool(store.image_versions, image)
    if not versions:
        raise ImageNotFoundException(f'image "{image}" not found, nor was there ever one of that id')
    return Json(versions)


@router.get("/datastore/label/versions", responses=_VERSIONS)
async def label_versions(image: Image, tag: Tag, request: Request, store: Store) -> Json:
    """Tell every version of a label, of a removed one too, and which version of its image each was made for."""
    image = meant(store, request, "image", image)
    versions = await run_in_threadpool(store.label_versions, image, tag)
    if not versions:
        raise LabelNotFoundException(f'label "{tag}" of image "{image}" not found, nor was there ever one')
    return Json(versions)


@router.put(
    "/datastore/image/restore",
    responses={**schema.answer(schema.ImageVersion, "what it is now"), **errors.documented(404, 409, *errors.CHANGING)},
)
async def restore_image(
    image: Image,
    request: Request,
    store: Store,
    version: Annotated[
        int | None, Query(description="which version; of a removed image, without it, the newest that was kept")
    ] = None,
    client_id: Client = None,
) -> Json:
    """Bring an image back, with the labels that were removed together with it, or make an earlier version the newest.

    What comes back is a version of its own.
    """
    image = meant(store, request, "image", image)
    now = await changed(store, {"client_id": client_id}, partial(store.restore_image, image, version))
    return Json({"image": image, "version": now})


@router.put(
    "/datastore/label/restore",
    responses={**schema.answer(schema.LabelVersion, "what it is now"), **errors.documented(404, 409, *errors.CHANGING)},
)
async def restore_label(
    image: Image,
    tag: Tag,
    version: Annotated[int, Query(description="which version")],
    request: Request,
    store: Store,
    client_id: Client = None,
) -> Json:
    """Make an earlier version of a label the newest again, as a version of its own."""
    image = meant(store, request, "image", image)
    now = await changed(store, {"client_id": client_id}, partial(store.restore_label, image, tag, version))
    return Json({"image": image, "label": image, "version": now})
