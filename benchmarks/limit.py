"""Measures what the bare machine needs for what a datastore cannot do without: an fsync, a rename, a row."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from benchmarks import folders
from benchmarks.operations import BATCH, LOOKS, SLOW, timed
from benchmarks.results import Samples
from benchmarks.rows import BY_NAME, Limit

SCHEMA = "CREATE TABLE item (id TEXT PRIMARY KEY, ext TEXT, info TEXT, size INTEGER) WITHOUT ROWID"
INSERT = "INSERT INTO item VALUES (?, ?, ?, ?)"
INFO = '{"ts": 1700000000, "name": "case_0000001.nii.gz"}'
TABLES = ("item", "version", "event")  # of our catalog: the rows that an opening writes for each file


def of_opening(folder: str, scanned: str) -> Samples:
    """Measure the listing of a folder with an insert of the rows that our first opening of it wrote."""
    catalog = Path(scanned, folders.CATALOG)
    return {
        Limit.SCAN.value: [_scan_same(Path(folder, "same.db"), Path(scanned), catalog)],
        Limit.BARE.value: [_scan_bare(Path(folder, "limit.db"), Path(scanned))],
    }


def _scan_same(path: Path, scanned: Path, catalog: Path) -> float:
    """List the folder and insert the catalog's own rows into tables and indexes like its own, without triggers."""
    with closing(apsw.Connection(str(catalog))) as theirs:
        made = [
            sql for (sql,) in theirs.execute("SELECT sql FROM sqlite_schema WHERE type IN ('table', 'index')") if sql
        ]
        start = time.perf_counter()
        ours = durable(path)
        for entries in map(os.scandir, _places(scanned)):
            for _ in entries:
                pass
        with closing(ours), ours:
            for statement in made:
                ours.execute(statement)
            for table in TABLES:
                _copy_rows(ours, table, theirs.execute(f"SELECT * FROM {table}"))
        seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def _copy_rows(ours: apsw.Connection, table: str, rows: Iterable[Any]) -> None:
    rows = iter(rows)
    first = next(rows)
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"
    ours.execute(statement, first)
    ours.executemany(statement, rows)


def _scan_bare(path: Path, scanned: Path) -> float:
    """List the folder and insert one row for each file; the database stays for the other limits."""
    start = time.perf_counter()
    with closing(durable(path)) as database, database:
        database.execute(SCHEMA)
        for number, place in enumerate(_places(scanned)):
            database.executemany(INSERT, ((f"{number}/{e.name}", ".nii.gz", INFO, 256) for e in os.scandir(place)))
    return time.perf_counter() - start


def _places(scanned: Path) -> list[Path]:
    return [scanned, scanned / "labels" / "final", scanned / "labels" / "original"]


def durable(path: str | Path) -> apsw.Connection:
    """Open a bare database whose commits are on the disk when they return."""
    database = apsw.Connection(str(path))
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", 2)  # FULL
    return database


def of_operations(folder: str, scanned: str, samples: int, count: int) -> Generator[Samples, dict[str, Any], None]:
    """Measure what single operations stand on, beside a database with a row for each of the scanned files.

    What takes turns with the operations that read is measured when they are.
    """
    place = Path(folder)
    with closing(durable(place / "limit.db")) as database:
        turns = {Limit.READ: partial(_reads, database, count), Limit.DOCUMENT: partial(_documents, database)}
        asked = yield {
            "fsync": _fsyncs(place / "fsync", samples),
            Limit.PASS.value: timed([partial(_list, Path(scanned))] * 3),
        }
        while True:
            limit = BY_NAME[asked["name"]].limit
            if asked["turn"] == 0:
                folders.warm(place / "limit.db")
            measured = turns[limit](asked["turn"]) if limit in turns else []
            asked = yield {limit.value: measured} if measured else {}


def _fsyncs(path: Path, samples: int) -> list[float]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        seconds = []
        for _ in range(samples):
            os.write(file, bytes(1024))
            seconds += timed([partial(os.fsync, file)])
        return seconds
    finally:
        os.close(file)


class Bare:
    """What the bare machine does in the place of a change, in a folder with the database that an opening left there."""

    def __init__(self, place: Path, many: Path, count: int) -> None:
        self._shown = place / "shown"
        self._copied = place / "copied"
        for folder in (self._shown, self._copied):
            folder.mkdir(exist_ok=True)
        self._many = sorted(str(path) for path in many.iterdir())
        self._at = os.open(self._shown, os.O_RDONLY)
        self._database = durable(place / "limit.db")
        self._count = count
        self._number = 0
        self.calls = {
            Limit.FILE.value: self._show_file, Limit.ROW.value: self._update_row, Limit.COPY.value: self._copy_many,
        }  # fmt: skip

    def close(self) -> None:
        """Take back what was added."""
        self._database.execute("DELETE FROM item WHERE id GLOB 'new_*'").get
        self._database.close()
        os.close(self._at)
        for folder in (self._shown, self._copied):
            shutil.rmtree(folder)

    def _show_file(self) -> None:
        """Show a new file and record it so that neither is lost: its bytes, its name and its row are synced.

        The name is synced where it is shown; the staging needs no sync, since the row comes last.
        """
        self._number += 1
        staged, name = self._shown / f".staged_{self._number}", f"new_{self._number}"
        file = os.open(staged, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(file, folders.CONTENT)
        os.fsync(file)
        os.close(file)
        os.rename(staged, self._shown / f"{name}.nii.gz")
        os.fsync(self._at)
        self._database.execute(INSERT, (name, ".nii.gz", INFO, 256)).get

    def _update_row(self) -> None:
        info, (id,) = f'{{"note": {random.random()}}}', _chosen(self._count, 1)
        self._database.execute("UPDATE item SET info = ? WHERE id = ?", (info, id)).get

    def _copy_many(self) -> None:
        """Copy the files that are added at once with the system's own cp, and sync their disk."""
        self._number += 1
        target = self._copied / str(self._number)
        target.mkdir()
        subprocess.run(["cp", "-t", str(target), *self._many], check=True)
        subprocess.run(["sync", "-f", str(target)], check=True)


def _reads(database: apsw.Connection, count: int, turn: int) -> list[float]:
    ids = _chosen(count, BATCH)

    def batch() -> None:
        for id in ids:
            database.execute("SELECT ext FROM item WHERE id = ?", (id,)).get

    return timed([batch], BATCH) if turn < LOOKS else []


def _chosen(count: int, samples: int) -> list[str]:
    return [f"0/case_{number:07}.nii.gz" for number in random.choices(range(count), k=samples)]


def _list(folder: Path) -> None:
    with os.scandir(folder) as entries:
        for _ in entries:
            pass


def _documents(database: apsw.Connection, turn: int) -> list[float]:
    """Make one JSON object of the images, each with its extension and info, from rows that hold them ready."""
    sql = "SELECT json_group_object(id, json_object('ext', ext, 'info', json(info))) FROM item WHERE id LIKE '0/%'"
    return timed([lambda: database.execute(sql).get]) if turn < SLOW else []
