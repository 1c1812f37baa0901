"""What happened, and the earlier versions of images and labels."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monailabel.catalog.records import recorded
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.datastore.reading import OpenFile, open_newest
from monailabel.files.folder import digest
from monailabel.files.looks import mtime_of
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
    InvalidInputException,
    LabelNotFoundException,
)
from monailabel.models import IMAGE, Kept, State

ALL = 2**62


def events(
    catalog: SqliteCatalog, after: int, limit: int | None, image_id: str | None, most_bytes: int | None = None
) -> list[dict[str, Any]]:
    """Give what happened after an event's number, in order."""
    _must_be_whole("after", after)
    _must_be_whole("limit", 0 if limit is None else limit)
    keys = ("seq", "time", "actor", "authenticated", "action", "image", "tag", "version", "before", "after")
    result = []
    for row in catalog.events(after, ALL if limit is None else limit, image_id, most_bytes):
        event: dict[str, Any] = dict(zip(keys, row, strict=False))
        event["time"] = moment(event["time"])
        event["authenticated"] = bool(event["authenticated"])
        content = plainly(row[10] or "{}")  # damage of one event must not hide the others; a check names it
        result.append(event | {"old": content.get("old"), "new": content.get("new")})
    return result


def versions(catalog: SqliteCatalog, image_id: str, tag: str) -> list[dict[str, Any]]:
    """Give every version of an image (tag `""`) or label, the oldest first.

    `image_version` is the version of the image that a label's version was made for, `for_present_image` whether that
    has the bytes of the image's newest version; None for an image, and where nobody knows.
    """
    item = catalog.item(image_id, tag)
    newest = item.version if item and item.state is State.PRESENT else None
    alike = _like_the_present(catalog, image_id) if tag else set()
    result = []
    for number, ext, sha256, size, _, made_for, kept, _, _, at, actor, authenticated, action in catalog.versions(
        image_id, tag
    ):
        result.append(
            {
                "version": number, "name": image_id + ext, "sha256": sha256, "size": size, "image_version": made_for,
                "for_present_image": None if made_for is None else made_for in alike,
                "time": moment(at), "actor": actor, "authenticated": bool(authenticated), "action": action,
                "current": number == newest, "kept": number == newest or bool(kept),
            }
        )  # fmt: skip
    return result


def kept(version: Kept) -> dict[str, Any]:
    """Describe a version that the history keeps."""
    return {
        "image": version.image_id, "tag": version.tag, "version": version.version, "size": version.size,
        "sha256": version.sha256, "time": moment(version.made_at), "until": moment(version.out_at),
    }  # fmt: skip


def last_kept(versions: list[dict[str, Any]]) -> int | None:
    """Give the number of the newest version that was ever shown and is kept."""
    known = [v for v in versions if v["kept"]]
    shown = [v for v in known if v["action"] != "refused"]
    return int((shown or known)[-1]["version"]) if known else None


def _like_the_present(catalog: SqliteCatalog, image_id: str) -> set[int]:
    """Give the versions of an image that have the bytes of its newest one."""
    image = catalog.item(image_id, IMAGE)
    if image is None:
        return set()
    numbers = {row[0] for row in catalog.versions(image_id, IMAGE) if row[2] and row[2] == image.sha256}
    return numbers | {image.version}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bytes of a version have to lie, and by what they are known."""

    what: str
    path: str
    ext: str
    sha256: str | None  # unknown while nobody read a file that another program put there;
    looks: tuple[int | None, int | None]  # then size and time tell whether it is still the same
    otherwise: str  # what to say of other bytes


def path_of(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str, version: int) -> tuple[str, str, str]:
    """Give path, extension and SHA-256 of the bytes of an earlier version, checked against its checksum.

    Raises ImageNotFoundException or LabelNotFoundException for an unknown version, ConflictException where its bytes
    are not there or damaged.
    """
    place = _place_of(catalog, changes, image_id, tag, version)
    fd, sha256 = _opened(place)
    os.close(fd)
    return place.path, place.ext, sha256


def open_version(
    settled: Callable[[], SqliteCatalog], changes: Changes, image_id: str, tag: str, version: int
) -> OpenFile:
    """Open a version wherever it lies by now, the newest one as ever. Raises what `path_of` raises."""
    newest = open_newest(settled(), changes, image_id, tag)
    if newest is not None and newest.version == version:
        return newest
    if newest is not None:
        newest.close()
    return _open_checked(settled(), changes, image_id, tag, version)


def open_known(
    settled: Callable[[], SqliteCatalog], changes: Changes, image_id: str, tag: str, version: int
) -> OpenFile:
    """Open a version wherever it lies by now, and never bytes that another program put into its place."""
    opened = open_version(settled, changes, image_id, tag, version)
    if opened.sha256:
        return opened
    opened.close()
    return _open_checked(settled(), changes, image_id, tag, version)


def _open_checked(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str, version: int) -> OpenFile:
    place = _place_of(catalog, changes, image_id, tag, version)
    fd, sha256 = _opened(place)
    facts = os.fstat(fd)
    return OpenFile(fd, image_id + place.ext, facts.st_size, facts.st_mtime, sha256, sha256, version)


def _must_be_whole(name: str, value: object) -> None:
    if not isinstance(value, int):
        raise InvalidInputException(f"{name} {value!r} refused: it is {type(value).__name__}, not a whole number")


def _place_of(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str, version: int) -> _Place:
    what = f"version {version} of " + (f"label {tag!r} of image {image_id!r}" if tag else f"image {image_id!r}")
    _must_be_whole("version", version)
    rows = {row[0]: row for row in catalog.versions(image_id, tag)}
    item = catalog.item(image_id, tag)
    if item is None or version not in rows:
        unknown = LabelNotFoundException if tag else ImageNotFoundException
        raise unknown(f"{what} not found; there are: {', '.join(map(str, rows)) or 'none'}")
    _, ext, sha256, size, mtime_ns, _, kept, link, *_ = rows[version]
    folder = changes.folder(tag)
    if kept is None and (version != item.version or item.state is State.REMOVED):
        raise ConflictException(f"{what} is on its way into the history; try again in a second")
    if kept is None:
        path = folder.path(visible_name(image_id, tag, ext))
        changed = "is not there any more: its file is damaged, or another program changed it"
        return _Place(what, path, ext, sha256, (size, mtime_ns), changed)
    if kept and sha256 and link is None:
        damaged = "is damaged: its bytes do not have its checksum; a backup may have it"
        return _Place(what, folder.kept_path(kept, sha256), ext, sha256, (size, None), damaged)
    pruned = catalog.was_pruned(image_id, tag, version)
    why = "it was pruned" if pruned else "another program changed or removed it, or it was a link"
    raise ConflictException(f"{what} was not kept: {why}")


def _opened(place: _Place) -> tuple[int, str]:
    """Open the bytes of a version, at their beginning, after reading all of them; give descriptor and SHA-256."""
    try:
        fd = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConflictException(f"{place.what} is gone; a backup may have it") from None
    try:
        found, _ = digest(fd)
        facts = os.fstat(fd)
        same = place.looks == (facts.st_size, mtime_of(facts)) if place.sha256 is None else place.sha256 == found
        if not same:
            raise ConflictException(f"{place.what} {place.otherwise}")
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd, found


def removed_with(catalog: SqliteCatalog, image_id: str) -> dict[str, int]:
    """Give tag and last version of the labels that the last removal of an image took away with it."""
    image = catalog.item(image_id, IMAGE)
    if image is None or image.state is not State.REMOVED:
        return {}
    labels = [item for tag in catalog.tags() if (item := catalog.item(image_id, tag)) and item.state is State.REMOVED]
    following = {item.seq: item for item in labels}
    found = {}
    seq = image.seq + 1  # the events of one removal follow each other
    while seq in following:
        item = following[seq]
        if any(row[0] == item.version and row[6] and row[2] for row in catalog.versions(image_id, item.tag)):
            found[item.tag] = item.version  # its bytes were kept; what was a link, or missing, cannot come back
        seq += 1
    return found


def info_of(catalog: SqliteCatalog, image_id: str, tag: str, version: int) -> dict[str, Any]:
    """Give the info that a version had last."""
    content = recorded(catalog.last_info(image_id, tag, version) or "{}")
    info = content.get("new") or content.get("old") or {}
    return info if isinstance(info, dict) else {}


def plainly(text: str) -> dict[str, Any]:
    """Read JSON; what was changed so that it is none says nothing, and the chain of events tells that it was."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def moment(milliseconds: int) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond; `""` for what no clock ever said, as damage makes it."""
    try:
        time = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
