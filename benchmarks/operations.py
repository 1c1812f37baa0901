"""The operations on an open datastore that are measured, made of public methods that both packages have."""

import copy
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.rows import Limit

BATCH = 200  # calls that make one sample where a single one is too short for the clock
LOOKS = 40  # such samples
SLOW = 3  # calls of what takes long
LARGE = 1_000_000  # images: such a folder has its turn once, and there it takes seconds
NEW = 10  # files that another program brings
SOURCE = "the file to add"  # stands for it in the table
LABEL_INFO = {"label_info": [{"name": "brain", "idx": 1}], "client_id": "bench"}


@dataclass
class Bench:
    """What an operation works on: an open datastore, its folder and ids, files to add, how many samples to take."""

    store: Any
    folder: str
    ids: list[str]
    source: str
    many: str  # the folder of the files that are added at once
    samples: int
    bare: dict[str, Callable[[], object]] = field(default_factory=dict)  # what the bare machine does, by limit
    beside: dict[str, list[float]] = field(default_factory=dict)  # and what that took

    def new(self) -> list[str]:
        """Give the ids that the changes add and finally remove."""
        return [f"bench_{number:06}" for number in range(self.samples)]

    def chosen(self) -> list[str]:
        """Give one of the ids for each call of a sample."""
        return random.choices(self.ids, k=BATCH)


Run = Callable[[Bench], list[float]]
Reading = Callable[[Bench, int], list[float]]  # also of how many turns came before; nothing when there were enough


def timed(calls: Iterable[Callable[[], Any]], each: int = 1) -> list[float]:
    """Give the seconds that each call took, divided by what it did."""
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - start) / each)
    return seconds


def _repeated(method: str, most: int = 20) -> Reading:
    """Measure a method without arguments, at most that often, when it has been called once.

    What is measured three times at most takes seconds among a million images, and is measured once there.
    """

    def run(bench: Bench, turn: int) -> list[float]:
        call, is_slow = getattr(bench.store, method), most <= SLOW and len(bench.ids) >= LARGE
        if turn == 0 and bench.samples > 1 and not is_slow:
            call()
        turns = 1 if is_slow else min(most, bench.samples, max(3, bench.samples // 10))
        return timed([call]) if turn < turns else []

    return run


def _looked_up(method: str, *more: str) -> Reading:
    """Measure a method that looks one image up, for images chosen at random."""

    def run(bench: Bench, turn: int) -> list[float]:
        if turn >= LOOKS:
            return []
        call, ids = getattr(bench.store, method), bench.chosen()

        def batch() -> None:
            for id in ids:
                call(id, *more)

        return timed([batch], BATCH)

    return run


def _added(method: str, *arguments: Any, limit: Limit | None = None) -> Run:
    """Measure a method once for each image that the changes add, with arguments of its own for each call."""

    def run(bench: Bench) -> list[float]:
        call = getattr(bench.store, method)
        filled = [bench.source if a is SOURCE else a for a in arguments]
        calls = [partial(call, id, *copy.deepcopy(filled)) for id in bench.new()]
        return _taking_turns(bench, calls, limit.value) if limit and bench.bare else timed(calls)

    return run


def _taking_turns(bench: Bench, calls: list[Callable[[], Any]], limit: str) -> list[float]:
    """Measure calls and, after each, what the bare machine does in its place: what the disk does else meets both."""
    seconds = []
    for call in calls:
        seconds += timed([call])
        bench.beside.setdefault(limit, []).extend(timed([bench.bare[limit]]))
    return seconds


def _save_labels(bench: Bench) -> list[float]:
    """Save two labels of each image: the second tag is there to be removed."""
    tags = ("final", "bench")
    return [s for tag in tags for s in _added("save_label", SOURCE, tag, LABEL_INFO, limit=Limit.FILE)(bench)]


def _refresh_new(bench: Bench) -> list[float]:
    """Measure the taking in of files that another program brought."""
    seconds = []
    for number in range(min(5, bench.samples, max(2, bench.samples // 10))):
        paths = [Path(bench.folder, f"brought_{number}_{n}.nii.gz") for n in range(NEW)]
        for path in paths:
            path.write_bytes(Path(bench.source).read_bytes())
        seconds += timed([bench.store.refresh])
        for path in paths:
            path.unlink()
    bench.store.refresh()
    return seconds


def _add_many(bench: Bench) -> list[float]:
    """Measure the adding of many images at once; nothing where a package has no such method."""
    add = getattr(bench.store, "add_images", None)
    files = [(id, path, {"PatientID": "P"}) for id, path in _many(bench)]
    return timed([partial(add, files)], len(files)) if add else []


def _save_many(bench: Bench) -> list[float]:
    """Measure the saving of a label for each of them, and remove them."""
    save = getattr(bench.store, "save_labels", None)
    files = [(id, path, "final", LABEL_INFO) for id, path in _many(bench)]
    if save is None:
        return []
    seconds = timed([partial(save, files)], len(files))
    for id, *_ in files:
        bench.store.remove_image(id)
    return seconds


def _many(bench: Bench) -> list[tuple[str, str]]:
    """Give id and path of the files that are added at once."""
    return [(name.partition(".")[0], os.path.join(bench.many, name)) for name in sorted(os.listdir(bench.many))]


def _snapshot(bench: Bench) -> list[float]:
    """Measure the writing of datastore_v2.json after a change, which MONAI Label does in every change."""
    ours = getattr(bench.store, "_store", None)  # ours writes it in the background: asked for here, by its own room
    seconds = []
    for number in range(min(3, bench.samples)):
        change = partial(bench.store.update_image_info, random.choice(bench.ids), {"note": f"snapshot {number}"})
        if ours is not None:
            change()
        seconds += timed([change if ours is None else ours.write_snapshot])
    return seconds


# What reads meets a folder where nothing is new. All folders and packages take turns, call by call.
READING: dict[str, Reading] = {
    "refresh, nothing new": _repeated("refresh"),
    "get_image_uri": _looked_up("get_image_uri"),
    "get_label_uri": _looked_up("get_label_uri", "final"),
    "get_image_info": _looked_up("get_image_info"),
    "list_images": _repeated("list_images"),
    "get_unlabeled_images": _repeated("get_unlabeled_images"),
    "status": _repeated("status"),
    "datalist()": _repeated("datalist", SLOW),
    "json()": _repeated("json", SLOW),
}
# In the order in which they are carried out: they build on each other, and leave the folder as they found it.
CHANGES: dict[str, Run] = {
    "add_image": _added("add_image", SOURCE, {"PatientID": "P"}, limit=Limit.FILE),
    "save_label": _save_labels,
    "update_image_info": _added("update_image_info", {"note": "x"}, limit=Limit.ROW),
    "update_label_info": _added("update_label_info", "final", {"note": "x"}, limit=Limit.ROW),
    "remove_label": _added("remove_label", "bench"),
    "remove_image": _added("remove_image"),
}
LATER: dict[str, Run] = {
    "add_images, each of 1,000": _add_many,
    "save_labels, each of 1,000": _save_many,
    "refresh, 10 new": _refresh_new,
    "the JSON snapshot": _snapshot,
}
REMOVALS = {"remove_label", "remove_image"}  # a minute of MONAI Label's for one of each from 100,000 images
MOST_REMOVED_FROM = 10_000  # so many images of MONAI Label's
