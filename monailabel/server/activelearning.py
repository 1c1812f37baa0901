"""POST /activelearning/{strategy}: the next image to annotate."""

import secrets
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from monailabel.datastore.actor import Actor
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.strategy import STRATEGIES, Wish
from monailabel.interfaces.exception import ImageNotFoundException
from monailabel.server import body, errors, schema
from monailabel.server.access import Limits, Store, actor
from monailabel.server.answers import Json
from monailabel.server.routes import Routes
from monailabel.server.upload import document

router = Routes(tags=["Active learning"])

DEFAULT_PATCH = (1024, 1024)  # pixels, as QuPath's extension has it

# 3D Slicer keeps the whole answer as its sample: these keys of it mean something else there.
_SLICERS_OWN = ("session", "session_id", "VolumeNodeName")

_OPTIONS = schema.body(
    ("application/json",),
    client_id={"type": ["string", "null"], "description": "who asks"},
    label_tag={"type": ["string", "null"], "description": "images without a label of this tag; default final"},
    labels={"type": ["array", "null"], "items": {"type": "string"}, "description": "… with one of these structures"},
    image={"type": ["string", "null"], "description": "a patch of this image instead of another image"},
    image_size={"type": "array", "items": {"type": "integer"}, "description": "its width and height"},
    patch_size={"type": "array", "items": {"type": "integer"}, "description": "the patch's width and height"},
)


@router.post(
    "/activelearning/{strategy}",
    responses={
        **schema.answer(schema.Sample, "the image, or `{}` when none is left"),
        **errors.documented(404, 408, 413, 422, 507),
    },
    openapi_extra=_OPTIONS,
)
async def sample(strategy: str, request: Request, store: Store, limits: Limits) -> Json:
    """Give the next image to annotate, with its info; the body is optional, and read whatever its content type."""
    if strategy not in STRATEGIES:
        raise HTTPException(404, f"no strategy {strategy!r}; there are: {', '.join(STRATEGIES)}")
    # QuPath names no content type
    options = document("options", await body.limited(request.receive, limits.max_field))
    if image := _text(options, "image"):
        return Json(_patch(store, image, options))
    wish = Wish(
        strategy, _text(options, "client_id"), _text(options, "label_tag") or None, _texts(options, "labels"),
        Actor(actor(options)),
    )  # fmt: skip
    return Json(await request.app.state.samples.ask(wish))


def answers(store: LocalDatastore, wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    """Give the next image to each who asks, with its info; `{}` when none is left."""
    return [{} if found is None else _described(store, found) for found in store.next_images(wishes)]


def _described(store: LocalDatastore, found: dict[str, Any]) -> dict[str, Any]:
    """Give an image's info with what the strategy said of it."""
    info = {key: value for key, value in store.get_image_info(found["id"]).items() if key not in _SLICERS_OWN}
    return {**info, **found, "path": info.get("path") or "", **_checksum(store, found["id"])}


def _checksum(store: LocalDatastore, image: str) -> dict[str, str]:
    try:
        with store.open_image(image) as file:
            return {"checksum": f"SHA256:{file.sha256}"} if file.sha256 else {}
    except ImageNotFoundException:  # its file went away at this moment
        return {}


def _patch(store: LocalDatastore, image: str, options: dict[str, Any]) -> dict[str, Any]:
    """Choose a patch at random; the image is the one that the client shows, whether it was sent to us yet or not."""
    wide, high = _size(options, "image_size", (0, 0))
    width, height = _size(options, "patch_size", DEFAULT_PATCH)
    wide, high = wide or width, high or height
    width, height = min(width, wide), min(height, high)
    corner = [secrets.randbelow(wide - width + 1), secrets.randbelow(high - height + 1)]
    known = _described(store, {"id": image}) if store.get_image_info(image) else {"id": image, "path": ""}
    return {**known, "bbox": [*corner, width, height]}


def _text(options: dict[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and not _is_text(value):
        raise HTTPException(400, f"{name} refused: it is no text")
    return value


def _texts(options: dict[str, Any], name: str) -> list[str] | None:
    value = options.get(name)
    if value is None or (isinstance(value, list) and all(_is_text(item) for item in value)):
        return value
    raise HTTPException(400, f"{name} refused: it is no list of texts")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _size(options: dict[str, Any], name: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    value = options.get(name)
    if value is None:
        return otherwise
    if isinstance(value, list) and len(value) >= 2 and all(type(n) is int and abs(n) < 2**31 for n in value[:2]):
        return max(0, value[0]) or otherwise[0], max(0, value[1]) or otherwise[1]
    raise HTTPException(400, f"{name} refused: give a width and a height in pixels")
