"""The addresses of what can be seen: headers, previews and volumes in a format that every viewer reads."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from monailabel.datastore.pictures import Rendering
from monailabel.datastore.reading import OpenFile
from monailabel.interfaces.exception import LabelNotFoundException
from monailabel.server import errors, schema
from monailabel.server.access import Store, meant
from monailabel.server.answers import Json
from monailabel.server.datastore import Image, Label, Tag
from monailabel.server.download import Download, disposition
from monailabel.server.routes import Routes

router = Routes(tags=["Pictures"])

AT_ONCE = 4  # pictures that are made at the same time, at most: each needs a core, and memory for some planes

# An address has another picture as soon as the label is saved anew: to be kept by the client, and asked for each time.
_CACHED = {"cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
_NUMBER = r"-?\d{1,15}(\.\d{1,15})?"
_WINDOW = f"^{_NUMBER},{_NUMBER}$"


def _answer(description: str, *kinds: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer of bytes of these types, whole, in part, or known already."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {
        200: {"description": description, "content": content},
        206: {"description": "the range that was asked for", "content": content},
        304: {"description": "the client has it already"},
    }


class Renders:
    """What is being made now: each picture once, however many ask for it, and only some at the same time."""

    def __init__(self) -> None:
        self._limit = asyncio.Semaphore(max(1, min(AT_ONCE, os.cpu_count() or 1)))
        self._making: dict[str, asyncio.Task[OpenFile]] = {}

    async def file(self, ask: Callable[[], Rendering]) -> OpenFile:
        """Give what is asked for, made by now."""
        asked = await run_in_threadpool(ask)
        try:
            file = await self._found(asked)
        except BaseException:
            asked.close()
            raise
        if file is not None:
            asked.close()
            return file
        self._making[asked.key] = making = asyncio.create_task(self._make(asked))
        return await asyncio.shield(making)  # its thread reads from open files, whether or not somebody still waits

    async def _found(self, asked: Rendering) -> OpenFile | None:
        """Find what was made before, or is made just now for somebody else."""
        while (file := await run_in_threadpool(asked.found)) is None:
            making = self._making.get(asked.key)
            if making is None:
                return None
            await asyncio.wait([making])
            making.result()  # what could not be made for one cannot be made for another
        return file

    async def _make(self, asked: Rendering) -> OpenFile:
        try:
            with asked:
                async with self._limit:
                    return await run_in_threadpool(asked.made)
        finally:
            del self._making[asked.key]


async def _renders(request: Request) -> Renders:
    renders: Renders = request.app.state.renders
    return renders


Making = Annotated[Renders, Depends(_renders)]
Outlined = Annotated[str, Query(description="also draw the outlines of the image's label of this tag")]
Version = Annotated[int | None, Query(ge=1, le=2**53, description="an earlier version, the newest if not given")]
VolumeSize = Annotated[
    int | None, Query(ge=8, le=4096, description="voxels of the longest axis, at most; all of them if not given")
]


def _view(
    size: Annotated[int, Query(ge=8, le=2048, description="pixels of the longer side")] = 256,
    plane: Annotated[
        Literal["axial", "coronal", "sagittal"], Query(description="seen as radiologists do: the right at the left")
    ] = "axial",
    slice: Annotated[
        int | None,
        Query(ge=0, le=2**31, description="counted from feet, back or left; else the label's largest, or the middle"),
    ] = None,
    window: Annotated[
        str | None,
        Query(pattern=_WINDOW, description="LOW,HIGH: the values shown black and white; else they follow the plane's"),
    ] = None,
    format: Annotated[Literal["png", "webp"], Query(description="of the picture")] = "png",
) -> dict[str, Any]:
    low, _, high = (window or "").partition(",")
    limits = (float(low), float(high)) if window else None
    return {"size": size, "plane": plane, "slice": slice, "window": limits, "format": format}


View = Annotated[dict[str, Any], Depends(_view)]

_PICTURE = {**_answer("the picture", "image/png", "image/webp"), **errors.documented(404, 409, 412, 415, 416, 422, 507)}
_VOLUME = {**_answer("the volume", "application/gzip"), **errors.documented(404, 409, 412, 415, 416, 422, 507)}


@router.head("/datastore/image/preview", response_class=Response, responses=_PICTURE)
@router.get("/datastore/image/preview", response_class=Response, responses=_PICTURE)
async def image_preview(
    image: Image,
    request: Request,
    store: Store,
    renders: Making,
    view: View,
    tag: Outlined = "",
    version: Version = None,
) -> Response:
    """Draw a plane of an image; `version` is one of the label where a tag is given."""
    id = meant(store, request, "image", image)
    return _shown(await renders.file(partial(store.open_preview, id, tag or None, version=version, **view)), request)


@router.head("/datastore/label/preview", response_class=Response, responses=_PICTURE)
@router.get("/datastore/label/preview", response_class=Response, responses=_PICTURE)
async def label_preview(
    label: Label,
    tag: Tag,
    request: Request,
    store: Store,
    renders: Making,
    view: View,
    version: Version = None,
    over: Annotated[bool, Query(description="draw its outlines over its image")] = False,
) -> Response:
    """Draw a plane of a label alone, each structure in its colour."""
    id = meant(store, request, "label", label)
    ask = partial(store.open_preview, id, _named(id, tag), version=version, alone=not over, **view)
    return _shown(await renders.file(ask), request)


@router.get(
    "/datastore/image/header",
    responses={**schema.answer(schema.ImageHeader, "what the file says"), **errors.documented(404, 415, 422)},
)
async def image_header(image: Image, request: Request, store: Store) -> Json:
    """Tell what an image's file says of its voxels; null stands for what it does not say."""
    return Json(await run_in_threadpool(store.get_image_header, meant(store, request, "image", image)))


@router.head("/datastore/image/volume", response_class=Response, responses=_VOLUME)
@router.get("/datastore/image/volume", response_class=Response, responses=_VOLUME)
async def image_volume(
    image: Image, request: Request, store: Store, renders: Making, size: VolumeSize = None, version: Version = None
) -> Response:
    """Download an image as NIfTI, at fewer voxels if wanted; of several volumes the first."""
    id = meant(store, request, "image", image)
    return _sent(await renders.file(partial(store.open_volume, id, size=size, version=version)), request)


@router.head("/datastore/label/volume", response_class=Response, responses=_VOLUME)
@router.get("/datastore/label/volume", response_class=Response, responses=_VOLUME)
async def label_volume(
    label: Label,
    tag: Tag,
    request: Request,
    store: Store,
    renders: Making,
    size: VolumeSize = None,
    version: Version = None,
) -> Response:
    """Download a label as NIfTI, at fewer voxels if wanted."""
    id = meant(store, request, "label", label)
    return _sent(
        await renders.file(partial(store.open_volume, id, _named(id, tag), size=size, version=version)), request
    )


def _named(label_id: str, tag: str) -> str:
    """Give the tag, which without a name would be the image's."""
    if not tag:
        raise LabelNotFoundException(f"label {tag!r} of image {label_id!r} not found; name a tag")
    return tag


def _shown(file: OpenFile, request: Request) -> Response:
    """Answer with a picture that browsers show instead of saving it."""
    kind = "image/webp" if file.name.endswith(".webp") else "image/png"
    where = disposition(file.name).replace("attachment", "inline", 1)
    return Download(file, request, {**_CACHED, "content-type": kind, "content-disposition": where})


def _sent(file: OpenFile, request: Request) -> Response:
    return Download(file, request, {**_CACHED, "content-type": "application/gzip"})
