"""The table of operations that are measured: each is a row here, made of public methods that both packages have."""

import copy
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

BATCH = 200  # calls that make one sample where a single one is too short for the clock
SOURCE = "the file to add"  # stands for it in the table
LABEL_INFO = {"label_info": [{"name": "brain", "idx": 1}], "client_id": "bench"}


class Limit(Enum):
    """What of the bare machine an operation is compared with."""

    FILE = "stage, fsync, rename, one durable insert"
    ROW = "one durable update"
    READ = "one SQLite point read"
    SCAN = "os.scandir and one bulk insert"


@dataclass
class Bench:
    """What an operation works on: an open datastore, the ids in it, a file to add, and how many samples to take."""

    store: Any
    ids: list[str]
    source: str
    samples: int

    def new(self) -> list[str]:
        """Give the ids that the changes add and finally remove."""
        return [f"bench_{number:06}" for number in range(self.samples)]

    def chosen(self) -> list[str]:
        """Give one of the ids for each call of a sample."""
        return random.choices(self.ids, k=BATCH)


@dataclass(frozen=True)
class Operation:
    """A row of the table; `run` gives the seconds of each sample."""

    name: str
    run: Callable[[Bench], list[float]]
    change: bool = False
    limit: Limit | None = None


def timed(calls: Iterable[Callable[[], Any]], each: int = 1) -> list[float]:
    """Give the seconds that each call took, divided by what it did."""
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - start) / each)
    return seconds


def _repeated(method: str) -> Callable[[Bench], list[float]]:
    """Measure a method without arguments."""

    def run(bench: Bench) -> list[float]:
        call = getattr(bench.store, method)
        call()
        return timed([call] * max(5, bench.samples // 10))

    return run


def _looked_up(method: str, *more: str) -> Callable[[Bench], list[float]]:
    """Measure a method that looks one image up, for images chosen at random."""

    def run(bench: Bench) -> list[float]:
        call = getattr(bench.store, method)

        def batch() -> None:
            for id in ids:
                call(id, *more)

        ids = bench.chosen()
        return timed([batch] * 20, BATCH)

    return run


def _added(method: str, *arguments: Any) -> Callable[[Bench], list[float]]:
    """Measure a method once for each image that the changes add, with arguments of its own for each call."""

    def run(bench: Bench) -> list[float]:
        call = getattr(bench.store, method)
        filled = [bench.source if a is SOURCE else a for a in arguments]
        return timed([partial(call, id, *copy.deepcopy(filled)) for id in bench.new()])

    return run


def _save_labels(bench: Bench) -> list[float]:
    """Save two labels of each image: the second tag is there to be removed."""
    return [s for tag in ("final", "bench") for s in _added("save_label", SOURCE, tag, LABEL_INFO)(bench)]


# Measured by the process that opens the folder.
FIRST_OPEN = Operation("first open", lambda _: [], limit=Limit.SCAN)
CHECKSUMS = Operation("all checksums, in the background", lambda _: [])
OPEN_AGAIN = Operation("open again", lambda _: [])

# In the order in which they are carried out: what reads meets a folder where nothing is new, and the changes leave it
# as they found it.
OPERATIONS = (
    Operation("refresh, nothing new", _repeated("refresh")),
    Operation("get_image_uri", _looked_up("get_image_uri"), limit=Limit.READ),
    Operation("get_label_uri", _looked_up("get_label_uri", "final"), limit=Limit.READ),
    Operation("get_image_info", _looked_up("get_image_info"), limit=Limit.READ),
    Operation("list_images", _repeated("list_images")),
    Operation("status", _repeated("status")),
    Operation("add_image", _added("add_image", SOURCE, {"PatientID": "P"}), change=True, limit=Limit.FILE),
    Operation("save_label", _save_labels, change=True, limit=Limit.FILE),
    Operation("update_image_info", _added("update_image_info", {"note": "x"}), change=True, limit=Limit.ROW),
    Operation("update_label_info", _added("update_label_info", "final", {"note": "x"}), change=True, limit=Limit.ROW),
    Operation("remove_label", _added("remove_label", "bench"), change=True),
    Operation("remove_image", _added("remove_image"), change=True),
)
ALL = (FIRST_OPEN, CHECKSUMS, OPEN_AGAIN, *OPERATIONS)
