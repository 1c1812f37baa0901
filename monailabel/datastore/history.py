"""What happened, and the earlier versions of images and labels."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.datastore.reading import open_newest
from monailabel.files.folder import digest
from monailabel.interfaces.exception import ConflictException, LabelNotFoundException
from monailabel.models import IMAGE, Kept, State

ALL = 2**62


def events(catalog: SqliteCatalog, after: int, limit: int | None, image_id: str | None) -> list[dict[str, Any]]:
    """Give what happened after an event's number, in order."""
    keys = ("seq", "time", "actor", "authenticated", "action", "image", "tag", "version", "before", "after")
    result = []
    for row in catalog.events(after, ALL if limit is None else limit, image_id):
        event: dict[str, Any] = dict(zip(keys, row, strict=False))
        event["time"] = moment(event["time"])
        event["authenticated"] = bool(event["authenticated"])
        content = json.loads(row[10]) if row[10] else {}
        result.append(event | {"old": content.get("old"), "new": content.get("new")})
    return result


def versions(catalog: SqliteCatalog, image_id: str, tag: str) -> list[dict[str, Any]]:
    """Give every version of an image (tag `""`) or label, the oldest first."""
    item = catalog.item(image_id, tag)
    newest = item.version if item and item.state is State.PRESENT else None
    result = []
    for number, ext, sha256, size, _, made_for, kept, _, _, at, actor, authenticated, action in catalog.versions(
        image_id, tag
    ):
        result.append(
            {
                "version": number, "name": image_id + ext, "sha256": sha256, "size": size, "image_version": made_for,
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


def last_kept(versions: list[dict[str, Any]], *, earlier: bool = False) -> int | None:
    """Give the number of the newest version that was ever shown and is kept (and is not the present one)."""
    known = [v for v in versions if v["kept"] and not (earlier and v["current"])]
    shown = [v for v in known if v["action"] != "refused"]
    return int((shown or known)[-1]["version"]) if known else None


def path_of(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str, version: int) -> tuple[str, str, str]:
    """Give path, extension and SHA-256 of the bytes of an earlier version, checked against its checksum.

    Raises LabelNotFoundException for an unknown version, ConflictException where its bytes are not there or damaged.
    """
    what = f"version {version} of " + (f"label {tag!r} of image {image_id!r}" if tag else f"image {image_id!r}")
    rows = {row[0]: row for row in catalog.versions(image_id, tag)}
    if version not in rows:
        raise LabelNotFoundException(f"{what} not found; there are: {', '.join(map(str, rows)) or 'none'}")
    _, ext, sha256, _, _, _, kept, link, *_ = rows[version]
    if kept is None and link is None:
        path = changes.folder(tag).path(visible_name(image_id, tag, ext))
    elif kept and sha256:
        path = changes.folder(tag).kept_path(kept, sha256)
    else:
        raise ConflictException(f"{what} was not kept: another program changed or removed it, or it was a link")
    if not os.path.exists(path):
        raise ConflictException(f"{what} is gone from the history; a backup may have it")
    found, _ = digest(path)
    if sha256 is not None and found != sha256:
        raise ConflictException(f"{what} is damaged: its bytes do not have its checksum; a backup may have it")
    return path, ext, found


def open_version(settled: Callable[[], SqliteCatalog], changes: Changes, image_id: str, tag: str, version: int) -> int:
    """Open the bytes of a version, wherever they lie by now, and give the descriptor."""
    newest = open_newest(settled(), changes, image_id, tag)
    if newest is not None and newest.version == version:
        return newest.fd
    if newest is not None:
        newest.close()
    path, _, _ = path_of(settled(), changes, image_id, tag, version)
    return os.open(path, os.O_RDONLY)


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
    content = json.loads(catalog.last_info(image_id, tag, version) or "{}")
    info = content.get("new") or content.get("old") or {}
    return info if isinstance(info, dict) else {}


def moment(milliseconds: int) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
