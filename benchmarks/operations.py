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

from benchmarks.resting import rest
from benchmarks.rows import SAME, Limit

BATCH = 200  # calls that make one sample where a single one is too short for the clock
LOOKS = 40  # such samples
FEW = 1_000  # images that every folder has
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
    beside: dict[str, list[float]] = field(default_factory=dict)  # and what that took in the last turn

    def new(self, turn: int) -> str:
        """Give the id that the changes add in a turn and finally remove in it."""
        return f"bench_{turn:06}"

    def chosen(self, among: int | None = None) -> list[str]:
        """Give one of the ids, or of so many that stand first, for each call of a sample."""
        return random.choices(self.ids[:among], k=BATCH)


Run = Callable[[Bench, int], list[float]]  # one turn, after so many others; nothing when there were enough


def timed(calls: Iterable[Callable[[], Any]], each: int = 1) -> list[float]:
    """Give the seconds that each call took, divided by what it did."""
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - start) / each)
    return seconds


def _repeated(method: str, most: int = 20) -> Run:
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


def _looked_up(method: str, *more: str, among: int | None = None) -> Run:
    """Measure a method that looks one image up, for images chosen at random: of all, or of so many that stand first."""

    def run(bench: Bench, turn: int) -> list[float]:
        if turn >= LOOKS:
            return []
        call, ids = getattr(bench.store, method), bench.chosen(among)

        def batch() -> None:
            for id in ids:
                call(id, *more)

        return timed([batch], BATCH)

    return run


def _added(method: str, *arguments: Any, limit: Limit | None = None) -> Run:
    """Measure a method once for each image that the changes add, with arguments of its own for each call."""

    def run(bench: Bench, turn: int) -> list[float]:
        if turn >= bench.samples:
            return []
        filled = [bench.source if a is SOURCE else a for a in copy.deepcopy(arguments)]
        return _beside(bench, limit, partial(getattr(bench.store, method), bench.new(turn), *filled))

    return run


def _beside(bench: Bench, limit: Limit | None, call: Callable[[], Any], each: int = 1) -> list[float]:
    """Measure a call and, after it, what the bare machine does in its place: what the disk does else meets both."""
    seconds = timed([call], each)
    if limit and bench.bare:
        bench.beside[limit.value] = timed([bench.bare[limit.value]], each)
    return seconds


_save_final, _save_other = (_added("save_label", SOURCE, t, LABEL_INFO, limit=Limit.FILE) for t in ("final", "bench"))


def _save_labels(bench: Bench, turn: int) -> list[float]:
    """Save two labels of each image: the second tag is there to be removed."""
    return _save_final(bench, turn) or _save_other(bench, turn - bench.samples)


def _refresh_new(bench: Bench, turn: int) -> list[float]:
    """Measure the taking in of files that another program brought."""
    if turn >= (1 if len(bench.ids) >= LARGE else min(SLOW, max(1, bench.samples // 60))):
        for path in Path(bench.folder).glob("brought_*"):
            path.unlink()
        rest()  # a folder that has just been changed is read again by whoever opens it
        bench.store.refresh()
        return []
    rest()  # or the folder is still followed after a change of ours, and need not be read
    for number in range(NEW):
        Path(bench.folder, f"brought_{turn}_{number}.nii.gz").write_bytes(Path(bench.source).read_bytes())
    return timed([bench.store.refresh])


def _add_many(bench: Bench, turn: int) -> list[float]:
    """Measure the adding of many images at once; nothing where a package has no such method."""
    add = getattr(bench.store, "add_images", None)
    if turn or add is None:
        return []
    files = [(id, path, {"PatientID": "P"}) for id, path in _many(bench)]
    return _beside(bench, Limit.COPY, partial(add, files), len(files))


def _save_many(bench: Bench, turn: int) -> list[float]:
    """Measure the saving of a label for each of them, and remove them."""
    save = getattr(bench.store, "save_labels", None)
    if turn or save is None:
        return []
    files = [(id, path, "final", LABEL_INFO) for id, path in _many(bench)]
    seconds = _beside(bench, Limit.COPY, partial(save, files), len(files))
    for id, *_ in files:
        bench.store.remove_image(id)
    return seconds


def _many(bench: Bench) -> list[tuple[str, str]]:
    """Give id and path of the files that are added at once."""
    return [(name.partition(".")[0], os.path.join(bench.many, name)) for name in sorted(os.listdir(bench.many))]


def _snapshot(bench: Bench, turn: int) -> list[float]:
    """Measure the writing of datastore_v2.json after a change, which MONAI Label does in every change."""
    if turn >= min(SLOW, bench.samples):
        return []
    ours = getattr(bench.store, "_store", None)  # ours writes it in the background: asked for here, by its own room
    change = partial(bench.store.update_image_info, random.choice(bench.ids), {"note": f"snapshot {turn}"})
    if ours is not None:
        change()
    return timed([change if ours is None else ours.write_snapshot])


# What reads meets a folder where nothing is new.
READING: dict[str, Run] = {
    "refresh, nothing new": _repeated("refresh"),
    "get_image_uri": _looked_up("get_image_uri"),
    "get_label_uri": _looked_up("get_label_uri", "final"),
    "get_image_info": _looked_up("get_image_info"),
    f"get_image_uri{SAME}": _looked_up("get_image_uri", among=FEW),
    f"get_label_uri{SAME}": _looked_up("get_label_uri", "final", among=FEW),
    f"get_image_info{SAME}": _looked_up("get_image_info", among=FEW),
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
OPERATIONS = READING | CHANGES | LATER
REMOVALS = {"remove_label", "remove_image"}  # a minute of MONAI Label's for one of each from 100,000 images
MOST_REMOVED_FROM = 10_000  # so many images of MONAI Label's
