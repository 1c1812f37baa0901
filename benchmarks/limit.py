"""Measures what the bare machine needs for what a datastore cannot do without: an fsync, a rename, a row."""

import os
import sqlite3
import time
from functools import partial
from pathlib import Path

from benchmarks.operations import BATCH, Limit, timed

SCHEMA = "CREATE TABLE item (id TEXT PRIMARY KEY, ext TEXT, info TEXT, size INTEGER) WITHOUT ROWID"
INSERT = "INSERT INTO item VALUES (?, ?, ?, ?)"
INFO = '{"ts": 1700000000, "name": "case_0000001.nii.gz"}'


def measure(folder: Path, scanned: Path, samples: int) -> dict[str, list[float]]:
    """Give the seconds of each sample by limit, and of a plain fsync; `scanned` is the folder that is listed."""
    database = _database(folder / "limit.db")
    try:
        return {
            "fsync": _fsyncs(folder / "fsync", samples),
            Limit.FILE.value: _files(folder, database, samples),
            Limit.ROW.value: _rows(database, samples),
            Limit.READ.value: _reads(database, samples),
            Limit.SCAN.value: _scans(folder, scanned),
        }
    finally:
        database.close()


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(SCHEMA)
    return database


def _fsyncs(path: Path, samples: int) -> list[float]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        seconds = []
        for _ in range(samples):
            os.write(file, bytes(1024))
            seconds += timed([lambda: os.fsync(file)])
        return seconds
    finally:
        os.close(file)


def _files(folder: Path, database: sqlite3.Connection, samples: int) -> list[float]:
    def one(number: int) -> None:
        staged = folder / f"staged_{number}"
        file = os.open(staged, os.O_WRONLY | os.O_CREAT)
        os.write(file, bytes(256))
        os.fsync(file)
        os.close(file)
        database.execute(INSERT, (f"case_{number}", ".nii.gz", INFO, 256))
        os.rename(staged, folder / f"case_{number}.nii.gz")

    return timed([partial(one, number) for number in range(samples)])


def _rows(database: sqlite3.Connection, samples: int) -> list[float]:
    update = "UPDATE item SET info = ? WHERE id = ?"
    return timed([partial(database.execute, update, (f"{INFO} ", f"case_{n}")) for n in range(samples)])


def _reads(database: sqlite3.Connection, samples: int) -> list[float]:
    def batch() -> None:
        for number in range(BATCH):
            database.execute("SELECT ext FROM item WHERE id = ?", (f"case_{number % samples}",)).fetchone()

    return timed([batch] * 20, BATCH)


def _scans(folder: Path, scanned: Path) -> list[float]:
    return [_scan(folder / f"scan_{number}.db", scanned) for number in range(3)]


def _scan(path: Path, scanned: Path) -> float:
    start = time.perf_counter()
    database = _database(path)
    rows = [(f"{n}/{e.name}", "", INFO, 256) for n, at in enumerate(_places(scanned)) for e in os.scandir(at)]
    database.execute("BEGIN")
    database.executemany(INSERT, rows)
    database.execute("COMMIT")
    database.close()
    return time.perf_counter() - start


def _places(scanned: Path) -> list[Path]:
    return [scanned, scanned / "labels" / "final", scanned / "labels" / "original"]
