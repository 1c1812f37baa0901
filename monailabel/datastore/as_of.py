"""Telling the datastore again as it was: what its events say of an earlier moment."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monailabel.catalog.records import recorded
from monailabel.catalog.rows import once
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.files.sharing import make_folder
from monailabel.interfaces.exception import ConflictException, InvalidInputException
from monailabel.models import IMAGE, State

AsOf = int | datetime | str
"""A moment: the number of its last event, or a time (a datetime, or ISO 8601; without a zone it is UTC)."""

_PAGE = 10_000  # events asked for at a time
_FOREIGN = ("found", "changed", "back")  # what other programs did: a file that was missing keeps its place
_BRING = (*_FOREIGN, "added", "replaced", "restored", "expected")


@dataclass(slots=True)
class Past:
    """An image or label as it was."""

    ext: str
    info: dict[str, Any]
    version: int
    state: State


class Moment:
    """What was there after an event: settings, and each image and label that ever was, in the order of listing."""

    def __init__(self, events: Iterable[tuple[Any, ...]]) -> None:
        self.said: dict[str, str] = {}  # the name and description that events gave it
        self._items: dict[tuple[str, str], Past] = {}
        for _, _, _, _, action, image_id, tag, version, _, _, content in events:
            self._follow(action, (image_id, tag), version, recorded(content) if content else None)

    def _follow(self, action: str, key: tuple[str, str], version: int, content: dict[str, Any] | None) -> None:
        item = self._items.get(key)
        if action == "set" and content:
            self.said |= content["new"]
        elif content is None:
            self._items.pop(key, None)  # its content was erased
        elif action in _BRING and not content.get("kept"):
            self._bring(key, Past(content["ext"], content["new"], version, State.PRESENT), item, action)
        elif item is not None and action == "updated":
            item.info = content["new"]
        elif item is not None and action in ("removed", "missing"):
            item.state = State.REMOVED if action == "removed" else State.MISSING

    def _bring(self, key: tuple[str, str], new: Past, old: Past | None, action: str) -> None:
        if action == "expected":
            new.state = State.MISSING
        if old and (old.state is State.REMOVED or (old.state is State.MISSING and action not in _FOREIGN)):
            del self._items[key]  # it goes to the end of the listing
        self._items[key] = new

    def images(self) -> list[tuple[str, Past]]:
        """Give the images that were listed."""
        return [(id, item) for (id, tag), item in self._items.items() if not tag and item.state is State.PRESENT]

    def labels(self) -> dict[str, dict[str, Past]]:
        """Give the labels that were there, by image and tag."""
        found: dict[str, dict[str, Past]] = {}
        for (id, tag), item in self._items.items():
            if tag and item.state is State.PRESENT:
                found.setdefault(id, {})[tag] = item
        return found


def moment(catalog: SqliteCatalog, as_of: AsOf) -> Moment:
    """Read the events up to a moment. Raises InvalidInputException for a moment that was not yet."""
    return Moment(_events(catalog, number(catalog, as_of)))


def number(catalog: SqliteCatalog, as_of: AsOf) -> int:
    """Give the number of the last event of a moment. Raises InvalidInputException for one that was not yet."""
    if isinstance(as_of, str) and as_of.isascii() and as_of.isdigit():
        as_of = int(as_of)
    if isinstance(as_of, int):
        last = catalog.last_event()
        if not 0 <= as_of <= last:
            raise InvalidInputException(f"as_of {as_of} refused: the events are numbered from 1 to {last}")
        return as_of
    return catalog.last_event_at(_milliseconds(as_of))


def _milliseconds(as_of: datetime | str) -> int:
    try:
        time = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        milliseconds, is_to_come = int(time.timestamp() * 1000), time > datetime.now(UTC)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidInputException(
            f"as_of {as_of!r} refused: give the number of an event, or a time such as 2026-03-31T12:00:00Z"
        ) from None
    if is_to_come:
        raise InvalidInputException(f"as_of {as_of!r} refused: that moment is to come; without a zone it is in UTC")
    return milliseconds


def _events(catalog: SqliteCatalog, last: int) -> Iterable[tuple[Any, ...]]:
    after = 0
    while page := catalog.events(after, min(_PAGE, last - after), None):
        yield from page
        after = page[-1][0]


def document(catalog: SqliteCatalog, as_of: AsOf) -> dict[str, Any]:
    """Give the document datastore_v2.json as it was."""
    past, settings = moment(catalog, as_of), catalog.settings()
    for (content,) in reversed(once(catalog, "told", action="set")):  # before the first the folder's document said it
        settings |= recorded(content)["old"]
    labels = past.labels()
    objects = {
        id: {
            "image": {"ext": item.ext, "info": item.info},
            "labels": {tag: {"ext": label.ext, "info": label.info} for tag, label in labels.get(id, {}).items()},
        }
        for id, item in past.images()
    }
    settings |= past.said
    said = {name: settings[name] for name in ("name", "description", "images_dir", "labels_dir")}
    return {**said, "objects": objects}


# -- files -------------------------------------------------------------------------------------------------------------


def cases(
    catalog: SqliteCatalog, as_of: AsOf, tag: str, path_of: Callable[[str, str, int], str]
) -> list[dict[str, str]]:
    """Give image and label of every case that had a label of that tag, as paths to the bytes that they had then."""
    past = moment(catalog, as_of)
    labels = past.labels()
    return [
        {"image": path_of(id, IMAGE, item.version), "label": path_of(id, tag, labels[id][tag].version)}
        for id, item in past.images()
        if tag in labels.get(id, {})
    ]


class Shown:
    """Paths of earlier versions under names that every program can open: links into the history, made on demand."""

    def __init__(self, catalog: SqliteCatalog, changes: Changes, root: str) -> None:
        self._catalog = catalog
        self._changes = changes
        self._root = root

    def path(self, image_id: str, tag: str, version: int) -> str:
        """Give the path of a version. Raises ConflictException where its bytes were not kept."""
        rows = {row[0]: row for row in self._catalog.versions(image_id, tag)}
        _, ext, sha256, _, _, _, kept, link, *_ = rows[version]
        folder = self._changes.folder(tag)
        if kept is None:
            return folder.real_path(visible_name(image_id, tag, ext), is_link=link is not None)
        if not kept or not sha256 or link is not None:
            what = f"label {tag!r} of image {image_id!r}" if tag else f"image {image_id!r}"
            raise ConflictException(
                f"version {version} of {what} was not kept: another program changed or removed it, or it was pruned; "
                "choose a later moment"
            )
        return self._linked(folder.kept_path(kept, sha256), kept, image_id + ext)

    def _linked(self, target: str, token: str, name: str) -> str:
        place = os.path.join(self._root, token[:2], token)
        path = os.path.join(place, name)
        for part in (self._root, os.path.dirname(place), place):
            make_folder(part, like=os.path.dirname(self._root))
        with suppress(FileExistsError):
            os.symlink(os.path.relpath(target, os.path.realpath(place)), path)
        return path
