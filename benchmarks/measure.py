"""Measures one datastore in a process of its own: `python -m benchmarks.measure < request.json`."""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import folders, limit
from benchmarks.operations import CHECKSUMS, FIRST_OPEN, OPEN_AGAIN, OPERATIONS, Bench, timed

PATIENCE = 9_000  # tenths of a second for the next file's checksum

Seconds = dict[str, list[float]]


def main() -> None:
    """Carry out the request on standard input and print the seconds of each sample, by operation."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print does not belong into the answer
    request = json.load(sys.stdin)
    if request.pop("stand_ins"):
        importlib.import_module("monai_label.standins").install()  # what MONAI Label's package imports
    result = WORK[request.pop("work")](**request)
    with answers:
        json.dump(result, answers)


def _opened(folder: str) -> tuple[Any, float]:
    """Open the folder with the package that this process finds."""
    cls = importlib.import_module("monailabel.datastore.local").LocalDatastore
    start = time.perf_counter()
    store = cls(folder)
    return store, time.perf_counter() - start


def _close(store: Any) -> None:
    getattr(store, "close", lambda: None)()  # MONAI Label's has none


def first_open(folder: str) -> Seconds:
    """Open a folder that no datastore has seen, and stay until all checksums are known, where they are computed."""
    folders.forget(Path(folder))
    store, seconds = _opened(folder)
    result = {FIRST_OPEN.name: [seconds]}
    if hasattr(store, "open_image"):
        result[CHECKSUMS.name] = timed([partial(_wait_for_checksums, store)])
    _close(store)
    return result


def _wait_for_checksums(store: Any) -> None:
    """Wait until the background pass has read every file: what is measured later should not meet it."""
    for id in store.list_images():
        _wait_for(partial(store.open_image, id))
    for tag in store.status()["label_tags"]:
        for id in store.get_labeled_images(tag):
            _wait_for(partial(store.open_label, id, tag))


def _wait_for(opening: Callable[[], Any]) -> None:
    for _ in range(PATIENCE):
        with opening() as file:
            if file.sha256 is not None:
                return
        time.sleep(0.1)
    raise TimeoutError("the background pass over the checksums did not come to its end")


def operations(folder: str, source: str, samples: int, only: list[str] | None = None) -> Seconds:
    """Open a known folder and carry out every operation."""
    store, seconds = _opened(folder)
    bench = Bench(store, store.list_images(), source, samples)
    result = {OPEN_AGAIN.name: [seconds]}
    try:
        return result | {o.name: o.run(bench) for o in OPERATIONS if not only or o.name in only}
    finally:
        _close(store)


def limits(folder: str, scanned: str, samples: int) -> Seconds:
    """Measure the bare machine."""
    return limit.measure(Path(folder), Path(scanned), samples)


WORK: dict[str, Any] = {"first open": first_open, "operations": operations, "limits": limits}

if __name__ == "__main__":
    main()
