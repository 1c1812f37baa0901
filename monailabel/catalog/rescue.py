"""Making a catalog out of what can still be read of a damaged one and of its last intact copy."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import apsw

from monailabel.catalog import spare
from monailabel.catalog.halving import DAMAGE, Rows, halved
from monailabel.catalog.rows import recount
from monailabel.catalog.sqlite import SqliteCatalog

_PAGE = 1_000
_LEAST_ROW = 40  # bytes that a row of those tables takes at least
_HEADER = 100  # bytes: https://sqlite.org/fileformat2.html#the_database_header


@dataclass(slots=True)
class Rescued:
    """What a rescued catalog was made of."""

    copied: int | None = None  # the newest event of the intact copy; None: there was none
    read: dict[str, int] = field(default_factory=dict)  # rows of the damaged catalog, by table
    last: int = 0  # the newest event of all


def rescue(damaged: str | None, copy: str, target: str, hint: int = 0) -> Rescued:
    """Write what can be read of a damaged catalog, and for the rest its copy, to a new one at `target`.

    `hint` is the number of an event that there was. Rows of the damaged one count where both have them, except events:
    they never change, but for a content that was erased. The files of the damaged one are only read.
    """
    found = Rescued(spare.last_event(copy))
    if found.copied is not None:
        shutil.copyfile(copy, target)
    with closing(SqliteCatalog(target, write_ahead=False)) as catalog:
        with catalog.transaction() as rows:
            rows.run("DELETE FROM folder")  # every folder is to be read again
            rows.run("DELETE FROM problem")
        if damaged is not None and os.path.exists(damaged):
            _merge(damaged, copy if found.copied is not None else None, catalog, found, hint)
        with catalog.transaction() as rows:
            recount(rows)
        found.last = catalog.last_event()
    return found


def _merge(damaged: str, copy: str | None, catalog: SqliteCatalog, found: Rescued, hint: int) -> None:
    source = catalog.path + ".source"
    try:
        connection = _readable(damaged, source, [*_first_pages(copy), *_first_pages(catalog.path)])
        if connection is not None:
            with closing(connection):
                _take_all(connection, catalog, found, max(hint, os.path.getsize(source) // _LEAST_ROW))
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(source + suffix)


# -- opening what is damaged -------------------------------------------------------------------------------------------


def _readable(damaged: str, source: str, first_pages: list[bytes]) -> apsw.Connection | None:
    """Open a copy of a damaged catalog, if need be with the first page of a sound one, which has the tables' roots."""
    for first in (None, *first_pages):
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(damaged + suffix, source + suffix)
        if first is not None:
            _begin_with(source, first)
        with suppress(apsw.Error):
            connection = apsw.Connection(source)
            with suppress(*DAMAGE, apsw.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").get
            with suppress(*DAMAGE, apsw.Error):
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
                if tables >= {"event", "item", "version"}:
                    return connection
            connection.close()
    return None


def _first_pages(path: str | None) -> Iterator[bytes]:
    if path is not None:
        with open(path, "rb") as file:
            header = file.read(_HEADER)
            yield header + file.read(_page_size(header) - _HEADER)


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65_536 if size == 1 else size


def _begin_with(path: str, first: bytes) -> None:
    """Overwrite a database's first page, with the number of pages that it has and no free ones."""
    pages = os.path.getsize(path) // len(first)
    page = bytearray(first)
    page[18:20] = b"\x01\x01"  # no write-ahead log: its pages are in the database, or cannot be
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)
    with open(path, "rb+") as file:
        file.write(page)


# -- reading and writing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """How a table is read, and when a row of the damaged catalog takes the place of the copy's."""

    name: str
    key: str  # its primary key
    wins: str  # the condition, in SQL
    by: str | None = None  # a number of which ranges can be read
    sound: str = "1"  # the condition, in SQL, for a row that can be used

    def columns(self, connection: apsw.Connection) -> list[str]:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({self.name})")]


_TABLES = [
    _Table("setting", "name", "1"),
    _Table("doomed", "token", "1"),
    _Table("event", "seq", "length(excluded.salt) = 0 AND excluded.content IS NULL", "seq"),
    _Table("item", "id", "excluded.seq >= item.seq", "id", "json_valid(info)"),
    _Table("version", "item, number", "1", "item"),
    _Table("mark", "id", "1", "id"),
]


def _take_all(source: apsw.Connection, catalog: SqliteCatalog, found: Rescued, most: int) -> None:
    with catalog.reading() as ours:
        ours.execute("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").get
        if _is_whole(source, "mark"):
            ours.execute("DELETE FROM mark").get  # one of the copy's may have been finished long since
        for table in _TABLES:
            with suppress(*DAMAGE, apsw.Error):
                found.read[table.name] = _take(source, ours, table, most)
        for name in ("version", "mark"):
            ours.execute(f"DELETE FROM {name} WHERE item NOT IN (SELECT id FROM item)").get
        ours.execute("COMMIT; PRAGMA foreign_keys = ON").get


def _take(source: apsw.Connection, ours: apsw.Connection, table: _Table, most: int) -> int:
    """Take over the rows of a table that can be read; give their number."""
    theirs = table.columns(source)
    columns = [column for column in table.columns(ours) if column in theirs]
    names, values = ", ".join(columns), ", ".join("?" * len(columns))
    news = ", ".join(f"{column} = excluded.{column}" for column in columns)
    instead = f"ON CONFLICT ({table.key}) DO UPDATE SET {news} WHERE {table.wins}"
    put = f"INSERT INTO {table.name} ({names}) VALUES ({values}) {instead}"
    count = 0
    for row in _ranges(source, table, names, most) if table.by else _from_both_ends(source, table, names):
        with suppress(*DAMAGE, apsw.ConstraintError, apsw.MismatchError):  # a row that contradicts others
            ours.execute(put, row).get
            count += 1
    return count


def _is_whole(source: apsw.Connection, table: str) -> bool:
    with suppress(*DAMAGE, apsw.Error):
        source.execute(f"SELECT * FROM {table}").fetchall()
        return True
    return False


def _ranges(source: apsw.Connection, table: _Table, names: str, most: int) -> Iterator[tuple[Any, ...]]:
    question = f"SELECT {names} FROM {table.name} NOT INDEXED WHERE {table.by} BETWEEN ? AND ? AND {table.sound}"

    def fetch(low: int, high: int) -> Rows:
        return source.execute(question, (low, high)).fetchall()

    with suppress(*DAMAGE, apsw.Error):
        most = int(source.execute(f"SELECT max({table.by}) FROM {table.name} NOT INDEXED").get or 0)
    for low in range(1, most + 1, _PAGE):
        yield from halved(fetch, low, low + _PAGE - 1, lambda _: None)


def _from_both_ends(source: apsw.Connection, table: _Table, names: str) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a small table before and behind what is damaged."""
    for order in ("", "DESC"):
        with suppress(*DAMAGE, apsw.Error):
            yield from source.execute(f"SELECT {names} FROM {table.name} ORDER BY {table.key} {order}")
