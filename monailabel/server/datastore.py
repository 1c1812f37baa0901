"""The /datastore/ addresses: images, labels and what is known of them."""

import hashlib
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.reading import OpenFile
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException
from monailabel.server import errors, schema, upload
from monailabel.server.access import Client, Limits, Store, changed, meant, quickly
from monailabel.server.answers import Json, dumped
from monailabel.server.conditions import expected
from monailabel.server.download import Document, Download, Streamed, spooled
from monailabel.server.routes import Routes

router = Routes(tags=["Datastore"])

MOST_CASES = 2**31  # a larger limit is none

Image = Annotated[str, Query(description="the image's id")]
Label = Annotated[str, Query(description="the label's id, which is its image's")]
Tag = Annotated[str, Query(description="the label's tag")]
Version = Annotated[int | None, Query(description="an earlier version; /versions tells which there are")]


class Output(str, Enum):
    """What to tell of the whole datastore."""

    TRAIN = "train"
    STATS = "stats"
    ALL = "all"


@router.get(
    "/datastore/",
    responses={**schema.answer(dict[str, Any] | list[dict[str, str]], "by `output`"), **errors.documented(409, 422)},
)
async def whole(
    store: Store,
    output: Annotated[
        Output | None, Query(description="stats (default): counts; train: files to train with; all: everything")
    ] = None,
    as_of: Annotated[
        str | None, Query(description="train and all as they were: after the event of that number, or at a time")
    ] = None,
) -> Response:
    """Tell of the whole datastore."""
    if as_of is not None and output not in (Output.ALL, Output.TRAIN):
        raise HTTPException(422, "query as_of: goes with output=all or output=train")
    if as_of is not None:
        return Response(await run_in_threadpool(_as_it_was, store, output, as_of), media_type="application/json")
    if output is Output.ALL:
        return Document(await run_in_threadpool(spooled, store.write_json))
    if output is Output.TRAIN:
        return Json(await run_in_threadpool(store.datalist))
    return Json(await quickly(store, store.status))


def _as_it_was(store: LocalDatastore, output: Output | None, as_of: str) -> bytes:
    return dumped(store.json(as_of=as_of) if output is Output.ALL else store.datalist(as_of=as_of))


_IMAGE_BODY = schema.body(
    (upload.MULTIPART,),
    ("file",),
    params=schema.text("the image's info, a JSON object"),
    file=schema.file("the image"),
)
_ADDED = {**schema.answer(schema.ImageId, "the image's id"), **errors.documented(409, 412, *errors.CHANGING)}


@router.put("/datastore/", deprecated=True, openapi_extra=_IMAGE_BODY, responses=_ADDED)
@router.put("/datastore/image", openapi_extra=_IMAGE_BODY, responses=_ADDED)
async def add_image(
    request: Request,
    store: Store,
    limits: Limits,
    image: Annotated[str | None, Query(description="the image's id; without it the file's name decides it")] = None,
) -> Json:
    """Add an image, or replace it.

    With `If-Match` only the version that it names, with `If-None-Match: *` none; else 412, and what was sent is kept.
    """
    known = expected(request.headers)
    async with upload.received(request, limits, "file", store.stage) as form:
        staged, info = form.file("file"), form.document("params")
        image_id = await changed(store, info, lambda: store.add_image(image or "", staged, info, if_match=known))
        return Json({"image": image_id}, headers={"ETag": f'"{staged.sha256}"'})


_REMOVED = {**schema.answer(dict[str, Any], "`{}`"), **errors.documented(404, *errors.CHANGING)}


@router.delete("/datastore/", deprecated=True, responses=_REMOVED)
@router.delete("/datastore/image", responses=_REMOVED)
async def remove_image(id: Image, request: Request, store: Store, client_id: Client = None) -> Json:
    """Remove an image and all its labels."""
    await changed(store, {"client_id": client_id}, partial(store.remove_image, meant(store, request, "id", id)))
    return Json({})


@router.head(
    "/datastore/image",
    response_class=Response,
    responses={**schema.binary("the image is there", 304), **errors.documented(404, 409, 412, 422)},
)
async def check_image(
    image: Image,
    request: Request,
    store: Store,
    check_sum: Annotated[
        str | None, Query(description="also compare: SHA256:hex, SHA512:hex, MD5:hex, or a SHA-256 alone")
    ] = None,
    version: Version = None,
) -> Response:
    """Tell whether an image is there, and has these bytes; the headers are those of its download."""
    image = meant(store, request, "image", image)
    if check_sum and not await run_in_threadpool(_has_checksum, store, image, check_sum, version):
        raise ImageNotFoundException(f'image "{image}" is there, but its checksum is not {check_sum[:200]!r}')
    return Download(await _opened(store.open_image, image, version=version), request)


async def _opened(opening: Callable[..., OpenFile], *names: str, version: int | None) -> OpenFile:
    """Open a file: an earlier version in a thread, since all of it is read before it is sent."""
    if version is None:
        return opening(*names)
    return await run_in_threadpool(opening, *names, version=version)


def _has_checksum(store: LocalDatastore, image: str, check_sum: str, version: int | None) -> bool:
    algorithm, colon, digest = check_sum.partition(":")
    algorithm, digest = (algorithm.upper(), digest.lower()) if colon else ("SHA256", algorithm.lower())
    if algorithm not in ("SHA256", "SHA512", "MD5"):
        raise HTTPException(400, f"check_sum {check_sum[:40]!r} refused: use SHA256, SHA512 or MD5")
    if algorithm == "SHA256" and version is None:
        return store.image_checksum(image) == digest
    with store.open_image(image, version=version) as file, open(file.fd, "rb", closefd=False) as data:
        return hashlib.file_digest(data, algorithm.lower()).hexdigest() == digest


@router.get(
    "/datastore/image",
    response_class=Response,
    responses={**schema.binary("the image", 206, 304), **errors.documented(404, 409, 412, 416, 422)},
)
async def image(image: Image, request: Request, store: Store, version: Version = None) -> Response:
    """Download an image; no login is ever asked for here."""
    image = meant(store, request, "image", image)
    return Download(await _opened(store.open_image, image, version=version), request)


@router.get(
    "/datastore/image/info", responses={**schema.answer(dict[str, Any], "`{}` if unknown"), **errors.documented(422)}
)
async def image_info(image: Image, request: Request, store: Store) -> Json:
    """Tell what is known of an image."""
    return Json(store.get_image_info(meant(store, request, "image", image)))


_INFO_BODY = schema.body(
    (upload.URLENCODED, upload.MULTIPART),
    info=schema.text("what to merge, a JSON object"),
    params=schema.text("the same under another name, for labels"),
)
_MERGED: dict[int | str, dict[str, Any]] = {
    200: {"description": "merged", "content": {"application/json": {"schema": {"type": "null"}}}},
    **errors.documented(404, *errors.CHANGING),
}


@router.put("/datastore/image/info", openapi_extra=_INFO_BODY, responses=_MERGED)
async def update_image_info(image: Image, request: Request, store: Store, limits: Limits) -> Json:
    """Merge into what is known of an image."""
    image = meant(store, request, "image", image)
    info = (await upload.form(request, limits)).document("info")
    await changed(store, info, partial(store.update_image_info, image, info))
    return Json(None)


_LABEL_BODY = schema.body(
    (upload.MULTIPART,),
    ("label",),
    params=schema.text("the label's info, a JSON object; `client_id` in it says who saves"),
    label=schema.file("the label; it keeps its extension"),
)


@router.put(
    "/datastore/label",
    openapi_extra=_LABEL_BODY,
    responses={**schema.answer(schema.LabelId, "the label's id"), **errors.documented(404, 409, 412, *errors.CHANGING)},
)
async def save_label(
    image: Image,
    request: Request,
    store: Store,
    limits: Limits,
    tag: Annotated[str, Query(description="the label's tag; an empty one stands for final")] = "",
) -> Json:
    """Save a label of an image, in place of an earlier one of that tag.

    With `If-Match` only of the version that it names, with `If-None-Match: *` of none; else 412, and what was sent is
    kept as a version that can be fetched and restored.
    """
    known = expected(request.headers)
    image = meant(store, request, "image", image)
    if not store.get_image_info(image):
        raise ImageNotFoundException(f'image "{image}" not found; add it before its labels')
    tag = tag or DefaultLabelTag.FINAL.value
    async with upload.received(request, limits, "label", store.stage) as form:
        staged, info = form.file("label"), form.document("params")
        label = await changed(store, info, lambda: store.save_label(image, staged, tag, info, if_match=known))
        return Json({"image": image, "label": label}, headers={"ETag": f'"{staged.sha256}"'})


@router.delete(
    "/datastore/label",
    responses={**schema.answer(dict[str, Any], "`{}`, also if unknown"), **errors.documented(*errors.CHANGING)},
)
async def remove_label(id: Label, tag: Tag, request: Request, store: Store, client_id: Client = None) -> Json:
    """Remove a label."""
    await changed(store, {"client_id": client_id}, partial(store.remove_label, meant(store, request, "id", id), tag))
    return Json({})


@router.head(
    "/datastore/label",
    response_class=Response,
    responses={**schema.binary("the label is there", 304), **errors.documented(404, 409, 412, 422)},
)
async def check_label(
    request: Request,
    store: Store,
    tag: Tag,
    label: Annotated[str | None, Query(description="the label's id")] = None,
    image: Annotated[str | None, Query(description="the same, as MONAI Label names it here")] = None,
    version: Version = None,
) -> Response:
    """Tell whether a label is there; the headers are those of its download."""
    name, value = ("label", label) if label is not None else ("image", image)
    if value is None:
        raise HTTPException(422, "query label: field required (image is taken too)")
    label = meant(store, request, name, value)
    return Download(await _opened(store.open_label, label, tag, version=version), request)


@router.get(
    "/datastore/label",
    response_class=Response,
    responses={**schema.binary("the label", 206, 304), **errors.documented(404, 409, 412, 416, 422)},
)
async def label(label: Label, tag: Tag, request: Request, store: Store, version: Version = None) -> Response:
    """Download a label."""
    label = meant(store, request, "label", label)
    return Download(await _opened(store.open_label, label, tag, version=version), request)


@router.get(
    "/datastore/label/info", responses={**schema.answer(dict[str, Any], "`{}` if unknown"), **errors.documented(422)}
)
async def label_info(label: Label, tag: Tag, request: Request, store: Store) -> Json:
    """Tell what is known of a label."""
    return Json(store.get_label_info(meant(store, request, "label", label), tag))


@router.put("/datastore/updatelabelinfo", deprecated=True, openapi_extra=_INFO_BODY, responses=_MERGED)
@router.put("/datastore/label/info", openapi_extra=_INFO_BODY, responses=_MERGED)
async def update_label_info(
    label: Label, tag: Tag, request: Request, store: Store, limits: Limits, client_id: Client = None
) -> Json:
    """Merge into what is known of a label; the field may be named `params` too.

    A `client_id` in the query says who makes the change; one in the field becomes the label's annotator as well.
    """
    label = meant(store, request, "label", label)
    info = (await upload.form(request, limits)).document("info", "params")
    who = {"client_id": client_id} if client_id else info
    await changed(store, who, partial(store.update_label_info, label, tag, info))
    return Json(None)


@router.get(
    "/datastore/dataset",
    response_class=Response,
    responses={
        200: {"content": {"application/zip": {"schema": schema.file("the archive")}}, "description": "the archive"},
        **errors.documented(409, 422),
    },
)
async def dataset(
    store: Store,
    limit_cases: Annotated[int | None, Query(description="only so many cases; 0 for all")] = None,
) -> Response:
    """Download the labelled images, their labels and `metadata.json` as a ZIP file."""
    limit = limit_cases if limit_cases and 0 < limit_cases < MOST_CASES else None
    archive = await run_in_threadpool(store.archive, limit)
    return Streamed(iter(archive), archive.size, "dataset.zip", archive.close)
