"""Opens folders: for the first time, and again with every operation of the table."""

import hashlib
import importlib
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import folders
from benchmarks.operations import CHANGES, MOST_REMOVED_FROM, OPERATIONS, READING, REMOVALS, Bench, timed
from benchmarks.resting import rest
from benchmarks.results import Samples
from tests.waiting import until

PATIENCE = 900.0  # seconds for the next file's checksum


def opened(folder: str, **options: Any) -> tuple[Any, float]:
    """Open the folder with the package that this process finds; give the datastore and the seconds."""
    cls = importlib.import_module("monailabel.datastore.local").LocalDatastore
    start = time.perf_counter()
    store = cls(folder, **options)
    return store, time.perf_counter() - start


def close(store: Any) -> None:
    """Close a datastore; MONAI Label's cannot be closed."""
    getattr(store, "close", lambda: None)()


def first(folder: str, checksums: bool) -> Samples:
    """Open a folder that no datastore has seen.

    Ours lists a large folder before all of it is recorded, and reads the files' checksums in the background: wait for
    them, or write them in, since all files are alike.
    """
    folders.forget(Path(folder))
    store, seconds = opened(folder)
    start = time.perf_counter()
    store.list_images()
    listed = time.perf_counter()
    result = {"first open": [seconds + listed - start]}
    ours = hasattr(store, "open_image")
    if ours:
        store.wait_until_recorded()
        result["first open, until all is recorded"] = [seconds + time.perf_counter() - start]
    result["memory at most, first open"] = [memory("VmHWM")]
    if ours and checksums:
        result["all checksums, in the background"] = timed([partial(_wait_for_checksums, store)])
    close(store)
    if ours and not checksums:
        write_checksums(folder)
    os.sync()
    return result


def memory(line: str) -> float:
    """Give this process's memory in megabytes, as /proc tells it: VmRSS now, VmHWM at most."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{line}:")[2].split()[0]) / 1_000


def _wait_for_checksums(store: Any) -> None:
    for id in store.list_images():
        _wait_for(partial(store.open_image, id))
    for tag in store.status()["label_tags"]:
        for id in store.get_labeled_images(tag):
            _wait_for(partial(store.open_label, id, tag))


def _wait_for(opening: Callable[[], Any]) -> None:
    def known() -> bool:
        with opening() as file:
            return file.sha256 is not None

    until(known, within=PATIENCE, pause=0.1)


def write_checksums(folder: str) -> None:
    """Write the checksum of the files, which are all alike, into the catalog: reading a million takes minutes."""
    checksum = hashlib.sha256(Path(folder, f"{folders.image_ids(1)[0]}.nii.gz").read_bytes()).hexdigest()
    with closing(sqlite3.connect(Path(folder, folders.CATALOG))) as catalog, catalog:
        catalog.execute("UPDATE version SET sha256 = ? WHERE sha256 IS NULL", (checksum,))


def again(
    folder: str, source: str, many: str, samples: int, limits: str | None = None
) -> Generator[Samples, dict[str, Any], None]:
    """Open a known folder, and take the turns of operations that are asked for.

    Changes are followed by the bare machine's in the folder `limits`.
    """
    store, seconds = opened(folder)
    result = {"open again": [seconds], "memory after opening": [memory("VmRSS")]}
    bench = Bench(store, folder, store.list_images(), source, many, samples)
    with closing(store) if hasattr(store, "close") else nullcontext(), _bare(limits, bench) as bench.bare:
        rest()
        asked = yield result
        while True:
            asked = yield _turn(bench, **asked)


@contextmanager
def _bare(limits: str | None, bench: Bench) -> Iterator[dict[str, Callable[[], object]]]:
    if limits is None:
        yield {}
        return
    from benchmarks.limit import Bare  # and SQLite, which MONAI Label's process does not need

    with closing(Bare(Path(limits), Path(bench.many), len(bench.ids))) as bare:
        yield bare.calls


def _turn(bench: Bench, name: str, turn: int) -> Samples:
    if name in REMOVALS and not bench.bare and len(bench.ids) > MOST_REMOVED_FROM:
        return {}
    if name in READING and turn == 0:
        folders.warm(Path(bench.folder, folders.CATALOG))
    if name in CHANGES and turn == 0:
        rest()  # what the change before left to the background is not this one's
    bench.beside = {}
    measured = OPERATIONS[name](bench, turn)
    return {name: measured} | bench.beside if measured else {}
