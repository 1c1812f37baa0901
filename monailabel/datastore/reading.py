"""Opening the newest version of a file while it may be on its way to its place."""

import os
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.files.looks import mtime_of
from monailabel.models import Item

_ATTEMPTS = 100


@dataclass(slots=True)
class OpenFile:
    """An open file and what is known of it; descriptor and figures belong to one and the same version."""

    fd: int
    name: str  # id and extension
    size: int  # bytes
    mtime: float  # seconds since 1970
    etag: str  # the SHA-256, or version, size and time while it is not known
    sha256: str | None
    version: int

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def locate(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str, ext: str, mark: int | None) -> str:
    """Give the path of a file: its visible one, or where it waits while its change is under way."""
    folder = changes.folder(tag)
    pending = catalog.mark(mark) if mark is not None else None
    if pending and pending.staged and pending.name and folder.waits(pending.staged, pending.inode, pending.sha256):
        return folder.staged_path(pending.staged)
    return folder.path(visible_name(image_id, tag, ext))


def open_newest(catalog: SqliteCatalog, changes: Changes, image_id: str, tag: str) -> OpenFile | None:
    """Open the newest version of a listed file; None if there is none.

    What moves to its place between the look and the opening is looked for again, and so is what the name of a staged
    file leads to for a moment after it was exchanged: the file that came out.
    """
    for attempt in range(_ATTEMPTS):
        item = catalog.item(image_id, tag)
        if item is None or not item.listed:
            return None
        try:
            fd = changes.folder(tag).open(locate(catalog, changes, image_id, tag, item.ext, item.mark))
        except FileNotFoundError:
            continue
        opened = _described(fd, item)
        if opened.sha256 or _stands(catalog, item, fd, last=attempt == _ATTEMPTS - 1):
            return opened
        os.close(fd)
    return None


def _described(fd: int, item: Item) -> OpenFile:
    facts = os.fstat(fd)
    etag = item.etag(facts.st_size, mtime_of(facts))
    sha256 = item.sha256 if etag == item.sha256 else None
    return OpenFile(fd, item.image_id + item.ext, facts.st_size, facts.st_mtime, etag, sha256, item.version)


def _stands(catalog: SqliteCatalog, item: Item, fd: int, *, last: bool) -> bool:
    """Tell whether an opened file is the newest version, as far as can be told without its checksum."""
    now = catalog.item(item.image_id, item.tag)
    if now is None or now.version != item.version:
        return False
    return item.mark is None or last or os.fstat(fd).st_ino == item.inode
