"""Reading the files that a scan found, so that their checksums are known: in the background, one process at a time."""

import os
import threading
from contextlib import suppress

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.files.folder import digest
from monailabel.files.locking import lock
from monailabel.files.sharing import open_shared
from monailabel.models import Item

_BATCH = 64  # files to a transaction
_AHEAD = 5_000
_PAUSE = 0.02  # seconds between two batches, for others
_LATER = 30.0  # seconds until we look again whether the process that reads is still there


class Checksums:
    """Finds files whose SHA-256 nobody knows, those that are handed out next first."""

    def __init__(self, catalog: SqliteCatalog, changes: Changes, lock_path: str) -> None:
        self._catalog = catalog
        self._changes = changes
        self._lock_path = lock_path
        self.stopped = threading.Event()  # set when the datastore closes, which does not wait for a large file
        self._waiting: list[tuple[str, str]] = []  # asked for ahead, since finding the next ones means sorting all

    def wanted(self) -> bool:
        """Tell whether there are such files."""
        return self._catalog.any_unread()

    def read_some(self) -> float | None:
        """Read a batch; give the seconds until the next is due, None if all are known."""
        with os.fdopen(open_shared(self._lock_path, os.path.dirname(self._lock_path)), "r+b") as file:
            if not lock(file, wait=False):
                return _LATER
            if not self._waiting:
                self._waiting = self._catalog.unread(_AHEAD)
            waiting, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            if self.stopped.is_set():
                return None
            items = [item for image_id, tag in waiting if (item := self._catalog.item(image_id, tag))]
            known = [(item, sha256) for item in items if not item.sha256 and (sha256 := self.of(item))]
            if self.stopped.is_set():
                return None
            if not waiting:
                return None
            if not known:  # changed in place, or gone: not ours to judge
                return _LATER
            with self._changes.begin(UNKNOWN) as edit:
                for item, sha256 in known:
                    edit.rows.read_version(item.rowid, item.version, sha256)
        return _PAUSE

    def of(self, item: Item) -> str | None:
        """Read a visible file; None if it is not, or no longer, the one that the catalog speaks of."""
        folder, name = self._changes.folder(item.tag), visible_name(item.image_id, item.tag, item.ext)
        before = folder.look(name)
        if before is None or (before.size, before.mtime_ns) != (item.size, item.mtime_ns):
            return None
        with suppress(OSError):
            sha256, _ = digest(folder.path(name), self.stopped.is_set)
            return sha256 if before == folder.look(name) else None
        return None
