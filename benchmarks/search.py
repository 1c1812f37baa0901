"""Measures finding images: every kind of filter in every order, first and later pages, in one run with its limits."""

import argparse
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import apsw

from benchmarks import folders, machine
from benchmarks.report import duration
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.local import LocalDatastore
from monailabel.models import Event, Item, State
from tests.compatibility.monai_label.released import PROJECT

SORTS = [sign + order for order in ("id", "time", "added", "size", "state") for sign in ("", "-")]
FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a state": {"state": "labelled"},
    "a rare state": {"state": "approved"},
    "a tag": {"tag": "final"},
    "an annotator": {"annotator": "reader 3"},
    "a structure": {"structure": "liver"},
    "an info that half of them have": {"info": {"modality": "CT"}},
    "an info that one of them has": {"info": {"PatientID": "P77"}},
    "a key of the info": {"info": {"site.room": None}},
    "a text that all have": {"text": "case"},
    "a text that a few have": {"text": "9999"},
    "a text that none has": {"text": "zebra"},
    "a word of comments": {"text": "artefact"},
    "state, structure and info": {"state": "labelled", "structure": "liver", "info": {"modality": "CT"}},
    "everything": {
        "text": "5", "state": "labelled", "tag": "final", "structure": "liver", "annotator": ["reader 1", "reader 2"],
        "info": {"modality": "CT", "site.name": "A"},
    },
}  # fmt: skip
Samples = list[tuple[float, float]]
"""Seconds by the clock, and of the processor: on a machine that others use, the second is what a question costs."""

PEOPLE = [f"reader {number}" for number in range(12)]
ORGANS = ["aorta", "kidney left", "kidney right", "liver", "spleen", "tumour"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give 0, or 2 where the folder lies in memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=5, help="of each question")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build", help="where to work, on a real disk")
    options = parser.parse_args(arguments)
    try:
        with folders.scratch(options.folder) as place:
            _measure(place, options.cases, options.samples)
    except folders.NotADisk as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


def _measure(place: Path, cases: int, samples: int) -> None:
    print("\n".join(f"{name}: {value}" for name, value in machine.describe(place).items()), "\n")
    with _store(place, cases) as store:
        print(f"| among {cases:,} images | median | processor time | worst | slowest order |")
        print("|---|---|---|---|---|")
        _tell("the first answer", _timed(lambda: store.find_images(limit=1), 1), "")
        print(f"| memory after it, at most | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB | | | |")
        for name, wanted in FILTERS.items():
            _tell(*_worst(name, {s: _pages(store, wanted, s, samples) for s in SORTS}))
        _tell("counts of all kinds", _timed(store.facets, samples), "")
        _tell("an answer when nothing happened", _timed(lambda: store.find_images(limit=1), 50), "")
        _tell("an answer after one change", [_changed(store, n) for n in range(20)], "")
    _limits(place / "studies" / ".monailabel" / "search.db", samples)


@contextmanager
def _store(place: Path, cases: int) -> Iterator[LocalDatastore]:
    """Open a datastore whose catalog has that many cases; their files are not there, and nobody asks for them."""
    folder = place / "studies"
    LocalDatastore(folder).close()
    print(f"writing {cases:,} cases", file=sys.stderr)
    with LocalDatastore(folder) as store:
        catalog = SqliteCatalog(str(folder / ".monailabel" / "catalog.db"))
        fill(catalog, cases)
        catalog.close()
        yield store
        print("closing", file=sys.stderr)


def fill(catalog: SqliteCatalog, cases: int) -> None:
    """Write rows and events of that many images, two thirds of them with labels."""
    chance = random.Random(1)
    for start in range(0, cases, 5_000):
        with catalog.transaction() as rows:
            for number in range(start, min(cases, start + 5_000)):
                _add_case(rows, chance, f"case_{number:07}", cases)


def _add_case(rows: Any, chance: random.Random, id: str, cases: int) -> None:
    info: dict[str, Any] = {
        "ts": 1_700_000_000, "name": f"{id}.nii.gz", "modality": chance.choice(["CT", "CT", "MR", "US"]),
        "age": chance.randint(1, 95), "PatientID": f"P{chance.randint(0, cases)}",
        "site": {"name": chance.choice("ABCDEF"), "room": chance.randint(1, 9)},
    }  # fmt: skip
    if chance.random() < 0.4:
        info["strategy"] = {"random": {"ts": 1_700_000_000, "client_id": chance.choice(PEOPLE)}}
    _add(rows, chance, id, "", info)
    for tag, share in (("original", 0.3), ("final", 0.6), ("version_1", 0.1)):
        if chance.random() < share:
            named = [{"name": name, "idx": 1} for name in chance.sample(ORGANS, chance.randint(1, 4))]
            label = {"ts": 1_700_000_000, "label_info": named, "client_id": chance.choice(PEOPLE)}
            if tag == "final" and chance.random() < 0.3:
                comment = chance.choice(["", "", "motion artefact, please look again"])
                label["segmentationMeta"] = {"status": chance.choice(["approved", "flagged"]), "comment": comment}
            _add(rows, chance, id, tag, label)


def _add(rows: Any, chance: random.Random, id: str, tag: str, info: dict[str, Any]) -> None:
    event = Event("bench", False, "added", id, tag, 1, None, "00", {"ext": ".nii.gz", "new": info})
    size = chance.randint(10**5, 10**8)
    item = Item(0, id, tag, ".nii.gz", info, State.PRESENT, True, 1, "00", size, 1, None, None, rows.event(event))
    item.rowid = rows.put_item(item, None, image_listed=bool(tag))
    rows.put_version(item, made_for=1 if tag else None)


def _pages(store: LocalDatastore, wanted: dict[str, Any], sort: str, samples: int) -> Samples:
    """Time the first page, the one after it and one from the middle, and give the slowest of them."""
    first = store.find_images(**wanted, sort=sort)
    pages: list[dict[str, Any]] = [{}, {"after": first.next}, {"skip": first.total // 2}]
    ask = partial(store.find_images, **wanted, sort=sort)
    return max((_timed(partial(ask, **page), samples) for page in pages), key=_cost)


def _worst(name: str, by_sort: dict[str, Samples]) -> tuple[str, Samples, str]:
    sort = max(by_sort, key=lambda sort: _cost(by_sort[sort]))
    return name, by_sort[sort], f"by {sort}"


def _cost(samples: Samples) -> float:
    return median(processor for _, processor in samples)


def _timed(call: Callable[[], Any], samples: int) -> Samples:
    seconds = []
    for _ in range(samples):
        start, busy = time.perf_counter(), time.thread_time()
        call()
        seconds.append((time.perf_counter() - start, time.thread_time() - busy))
    return seconds


def _changed(store: LocalDatastore, number: int) -> tuple[float, float]:
    store.update_image_info(f"case_{number:07}", {"note": number})
    return _timed(lambda: store.find_images(limit=1), 1)[0]


def _tell(name: str, seconds: Samples, note: str) -> None:
    clock, processor = ([sample[n] for sample in seconds] for n in (0, 1))
    print(
        f"| {name} | {duration(median(clock))} | {duration(median(processor))} | {duration(max(clock))} | {note} |",
        flush=True,
    )


def _limits(path: Path, samples: int) -> None:
    """Measure what SQLite alone needs: to read all rows once, and to read one page along an index."""
    connection = apsw.Connection(str(path))
    count = "SELECT count(*) FROM entry NOT INDEXED WHERE instr(words, 'zebra')"
    page = "SELECT t.shown FROM (SELECT number FROM entry ORDER BY time, id LIMIT 100) e JOIN told t USING (number)"
    _tell("limit: one pass over all ids and comments", _timed(lambda: connection.execute(count).get, samples), "")
    _tell("limit: 100 rows along an index", _timed(lambda: connection.execute(page).fetchall(), samples), "")
    print(f"| the index on the disk | {os.stat(path).st_size / 1e6:.0f} MB | | | |")
    rows = connection.execute(page).fetchall()
    _tell("limit: their JSON read", _timed(lambda: [json.loads(row[0]) for row in rows], samples), "")
    connection.close()


if __name__ == "__main__":
    sys.exit(main())
