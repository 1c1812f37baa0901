"""Copies of a catalog: made while others write to it, and read without writing a byte beside them."""

import os
from urllib.parse import quote

import apsw

from monailabel.catalog.sqlite import SqliteCatalog


def copy_while_used(catalog: SqliteCatalog, target: str) -> None:
    """Copy a catalog as it is at this moment to a new file, and make that durable; nobody has to wait."""
    copy = apsw.Connection(target)
    try:
        with catalog.reading() as connection, copy.backup("main", connection, "main") as backup:
            backup.step()
    finally:
        copy.close()
    with open(target, "rb+") as file:
        os.fsync(file.fileno())


def opened(path: str) -> apsw.Connection:
    """Open a copy that nobody writes to. Raises apsw.Error where that cannot be."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(path)}?immutable=1", flags=flags)


def last_event(path: str) -> int | None:
    """Give the number of the newest event in an intact copy; None if it is damaged or not there."""
    if not os.path.exists(path):
        return None
    try:
        connection = opened(path)
        try:
            if connection.pragma("quick_check") != "ok":
                return None
            return int(connection.execute("SELECT coalesce(max(seq), 0) FROM event").get)
        finally:
            connection.close()
    except (apsw.Error, UnicodeDecodeError):
        return None
