"""Reads what can still be read of a damaged datastore_v2.json, and writes that in its place."""

import json
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from monailabel import naming
from monailabel.datastore.parsing import parse
from monailabel.datastore.snapshot import DESCRIPTION, NAME
from monailabel.documents import LocalDatastoreModel
from monailabel.files.locking import FolderLock
from monailabel.files.sharing import share_with_group, sync_folder
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import plain

_UNREAD = {"name": NAME, "description": DESCRIPTION, "images_dir": ".", "labels_dir": "labels"}

_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
_OBJECTS = re.compile(r'"objects"\s*:')
_HEADING = re.compile(rf'\s*[{{,]\s*(?P<key>"(?:{"|".join(_UNREAD)})")\s*:\s*(?=")')
_ENTRY = re.compile(rf'(?P<key>{_STRING})\s*:\s*(?=\{{\s*"image"\s*:\s*\{{)')
_NEXT = re.compile(rf'(?!"labels"){_ENTRY.pattern}')  # an entry's labels may have the tag `image`
_IMAGE = re.compile(r'\{\s*"image"\s*:\s*')
_LABELS = re.compile(r'\s*,\s*"labels"\s*:\s*\{')
_LABEL = re.compile(rf'(?P<key>{_STRING})\s*:\s*(?=\{{\s*"ext"\s*:)')
_DECODER = json.JSONDecoder()
_PIECE = 4_096  # characters decoded at a time: an error counts the lines before it, which in a whole document are many
_TOKEN = 16  # characters, more than a number's or a word's beginning that the end of a piece makes an error of
# What is not UTF-8 was most likely written on a machine with a Western encoding; as Latin-1 no byte is without meaning.
_LATIN_1 = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read of a damaged document."""

    document: LocalDatastoreModel
    damaged: list[str]  # ids of the images of whose entries something, or all but the id, could not be read
    aside: str | None = None  # where the damaged file lies now


def salvage(path: str) -> Salvaged:
    """Read what is whole of a document, whatever happened to the rest of it.

    Of an entry that is cut the image's part is kept if it is whole, and each whole label that is surely the image's.
    Where two documents lie over each other, what comes first counts.
    """
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "surrogateescape").translate(_LATIN_1)
    objects: dict[str, Any] = {}
    damaged: dict[str, None] = {}
    at = 0
    while found := _ENTRY.search(text, at):
        image_id = _key(found)
        entry, at, whole = _entry(text, image_id, found.end())
        if entry:
            known = objects.get(image_id, entry)
            labels = known["labels"] | entry["labels"] | known["labels"]  # in the order in which they came
            objects[image_id] = known | {"labels": labels}
        if not whole:
            damaged[image_id] = None
    document = LocalDatastoreModel.model_validate({**_UNREAD, **_heading(text), "objects": objects})
    return Salvaged(document, list(damaged))


def mend(folder: str, config: str = "datastore_v2.json") -> Salvaged:
    """Set a damaged document aside and write what can be read of it in its place; a sound one is left alone."""
    path = os.path.join(folder, naming.file_name(config))
    lock = FolderLock(os.path.join(folder, ".lock"), like=folder)
    try:
        with lock:
            salvaged = salvage(path)
            return salvaged if _is_sound(path) else _replaced(path, salvaged)
    finally:
        lock.close()


def _is_sound(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            parse(file.read(), path)
    except DamagedDatastoreException:
        return False
    return True


def _replaced(path: str, salvaged: Salvaged) -> Salvaged:
    folder = os.path.dirname(path)
    aside = f"{path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "x", encoding="ascii") as file:
            json.dump(salvaged.document.model_dump(exclude={"base_path"}), file, indent=2)
            with suppress(PermissionError):
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
                share_with_group(temporary, folder)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(path, aside)  # so that there is never a moment without a document
        except OSError:  # a disk without links
            os.rename(path, aside)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(folder)
    return Salvaged(salvaged.document, salvaged.damaged, aside)


# -- reading -----------------------------------------------------------------------------------------------------------


def _read(text: str, at: int) -> tuple[Any, int]:
    """Read the JSON that begins at a place, and where it ends; None and that place itself if it is not whole."""
    size = _PIECE
    while True:
        piece = text[at : at + size]
        try:
            value, end = _DECODER.raw_decode(piece)
            return plain({"it": value}, lenient=True)["it"], at + end
        except json.JSONDecodeError as error:
            is_cut = error.pos > len(piece) - _TOKEN or error.msg.startswith("Unterminated string")
            if not is_cut or at + size >= len(text):
                return None, at
        except (ValueError, RecursionError):
            return None, at
        size *= 16


def _key(found: re.Match[str]) -> str:
    """Give a key as text; one with an escape that JSON does not know, as it stands."""
    value, _ = _read(found["key"], 0)
    return value if isinstance(value, str) else found["key"][1:-1]


def _heading(text: str) -> dict[str, str]:
    """Read what stands before the objects; where their beginning is gone, what stands there without a gap."""
    objects = _OBJECTS.search(text)
    heading: dict[str, str] = {}
    at = 0
    while found := _HEADING.search(text, at, objects.start() if objects else len(text)):
        if objects is None and found.start() != at:
            break  # a key `name` from here on may be an info's
        value, at = _read(text, found.end())
        if isinstance(value, str):
            heading.setdefault(_key(found), value)
    return heading


def _entry(text: str, image_id: str, at: int) -> tuple[dict[str, Any] | None, int, bool]:
    """Read an image's entry; give it, where to read on, and whether it is whole."""
    value, end = _read(text, at)
    if value is None:
        following = _NEXT.search(text, at)
        return _part(text, image_id, at, following.start() if following else len(text)), at, False
    labels = value.get("labels", {})
    if not _is_file(value["image"]) or not isinstance(labels, dict) or (image_id == "labels" and not labels):
        return None, end, image_id == "labels"  # of another shape, or the labels of a cut entry, one of them `image`
    kept = {tag: label for tag, label in labels.items() if _is_file(label)}
    return {"image": value["image"], "labels": kept}, end, kept == labels


def _part(text: str, image_id: str, at: int, end: int) -> dict[str, Any] | None:
    """Read what is whole of an image's entry between two places; None where nothing is.

    After a gap, what follows may be another image's: then a label counts if its info names this image's file.
    """
    opening = _IMAGE.match(text, at)
    image, at = _read(text, opening.end() if opening else at)
    labels_begin = _LABELS.match(text, at) if _is_file(image) else None
    is_sure = labels_begin is not None
    at = labels_begin.end() if labels_begin else at
    labels = {}
    while found := _LABEL.search(text, at, end):
        is_sure = is_sure and not text[at : found.start()].strip(" \t\r\n,")
        label, at = _read(text, found.end())
        if not _is_file(label):
            is_sure = False
        elif is_sure or label["info"].get("name") == image_id + label["ext"]:
            labels[_key(found)] = label
    if not _is_file(image):
        image = {"ext": "", "info": {}}  # the scan finds the file
        return {"image": image, "labels": labels} if labels else None
    return None if image_id == "labels" else {"image": image, "labels": labels}


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("ext"), str) and isinstance(value.get("info"), dict)
