"""The file of SQLite's write-ahead log: long before it is needed, and written from its beginning again and again."""

import os
import shutil
from contextlib import AbstractContextManager, suppress

import apsw

from monailabel.catalog.connections import Connections

_LONG = 2_000  # pages
_AHEAD = 8 << 20  # bytes that the file has before they are needed
_FILLER = 1 << 16  # bytes of a row that fills it
_UNWRITTEN = 2 << 20  # bytes of pages that SQLite still has in memory when the last row is there
_PLENTY = 1 << 30  # bytes free on the disk, with which that is nothing


class Log:
    """Tends the log of one catalog, in the background of changes."""

    def __init__(self, connections: Connections, fill: str) -> None:
        """`fill` is the statement that fills pages."""
        self._connections = connections
        self._fill = fill
        self._is_tried = False

    def empty(self, lock: AbstractContextManager[None]) -> None:
        """Bring what lies in the log into the database once it is long, so that it is written from its beginning again.

        Beside readers and writers, but for the last of it, with the writer's lock: all of it has to be there at once.
        """
        with self._connections.lend() as connection:
            length, done = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if length - done > _LONG:
            self._checkpoint()
            with lock:
                self._checkpoint()

    def lengthen(self, lock: AbstractContextManager[None]) -> None:
        """Make the log's file as long as some hundred changes need it: syncing a file takes longer while it grows.

        A change of that size, taken back, leaves nothing but the length. Tried once, and not where space is scarce.
        """
        log = f"{self._connections.path}-wal"
        is_tried, self._is_tried = self._is_tried, True
        with suppress(OSError):  # there is no log, or no room for a longer one
            if is_tried or os.path.getsize(log) >= _AHEAD or shutil.disk_usage(log).free < _PLENTY:
                return
            with lock, self._connections.lend() as connection:
                connection.execute("BEGIN IMMEDIATE").get
                try:
                    connection.execute(self._fill, {"rows": (_AHEAD + _UNWRITTEN) // _FILLER}).get
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK").get
                _sync(log)  # or the next commit would

    def _checkpoint(self) -> None:
        with self._connections.lend() as connection, suppress(apsw.BusyError, apsw.LockedError):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
