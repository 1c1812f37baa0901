"""Keeps a datastore's search index: makes it where it is missing, and anew where it is damaged."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from monailabel.catalog.connections import copy_catalog
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.progress import Progress
from monailabel.files import disk
from monailabel.files.locking import FolderLock
from monailabel.files.sharing import open_shared

if TYPE_CHECKING:
    from monailabel.catalog.search import SearchIndex

T = TypeVar("T")

INDEX = "search.db"
_BESIDE = ("-wal", "-shm", "-journal")
_TRIES = 10  # an index can be lost again while it is made

logger = logging.getLogger(__name__)


class Finder:
    """Asks the index, which only has what can be worked out again.

    It is made and thrown away under the writer's lock, so that no two processes do; anybody may delete it at any time.
    """

    def __init__(self, state: str, like: str, lock: FolderLock, progress: Progress | None, source: str | None) -> None:
        """`source` is an index to begin from, where there is one."""
        self._path = os.path.join(state, INDEX)
        self._like = like
        self._lock = lock
        self._progress = progress
        self._source = source
        self._index: SearchIndex | None = None
        self._inode: int | None = None
        self._mutex = threading.Lock()

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._mutex = threading.Lock()
        if self._index is not None:
            self._index.renew()

    def ask(self, catalog: SqliteCatalog, question: Callable[["SearchIndex"], T]) -> T:
        """Bring the index up to date and ask it."""
        from monailabel.catalog.search import LostIndexError

        for _ in range(_TRIES):
            index = None
            try:
                index = self._current()
                index.follow(catalog, self._progress)
                return question(index)
            except LostIndexError as error:
                reason = error.__cause__ or error
                logger.warning("the search index %s is made anew: %s", self._path, reason)
                self._discard(index)
        raise reason

    def _current(self) -> "SearchIndex":
        """Give the index that lies there now."""
        from monailabel.catalog.search import SearchIndex

        with self._mutex:
            if self._index is None or self._inode != _inode(self._path):
                self.close()
                with self._lock:
                    self._make_sure()
                    self._inode = _inode(self._path)
                    self._index = SearchIndex(self._path, write_ahead=not disk.is_network(self._path))
            return self._index

    def _make_sure(self) -> None:
        """Make the file if it is missing, after removing what belonged to one that somebody deleted."""
        if os.path.exists(self._path):
            return
        self._remove()
        os.close(open_shared(self._path, like=self._like))
        source, self._source = self._source, None
        if source is not None and os.path.exists(source):
            try:
                copy_catalog(source, self._path)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, there is another way
                logger.warning("the search index %s cannot be read, and is made anew: %s", source, error)

    def _discard(self, index: "SearchIndex | None") -> None:
        """Throw the index away, unless another process did so already and this is a new one."""
        with self._mutex:
            if index is not self._index:
                return
            self.close()
            with self._lock:
                if _inode(self._path) == self._inode:
                    self._remove()

    def _remove(self) -> None:
        for name in (self._path, *(self._path + end for end in _BESIDE)):
            with suppress(FileNotFoundError):
                os.unlink(name)


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
