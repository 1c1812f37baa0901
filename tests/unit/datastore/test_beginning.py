"""The first opening of a large folder: what is in it is listed at once, and recorded behind the caller's back."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.unit.datastore.test_fork import in_child

Open = Callable[..., LocalDatastore]
MANY = 5_100  # images: more than are recorded at once
LAST = f"i{MANY - 1:05}"

PROGRAM = """
import os, sys
from monailabel.datastore.local import LocalDatastore

def tell(what, done, total):
    if {dies} and what == "taking in images":
        os._exit(7)

store = LocalDatastore(sys.argv[1], progress=tell)
print(len(store.list_images()))
"""


class Holding:
    """Stands in the way of the recording, after its first files, until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.is_to_fail = False
        self._pid = os.getpid()

    def tell(self, what: str, done: int, total: int | None) -> None:
        """Wait, as what is called with progress; a forked child is not held."""
        if os.getpid() != self._pid or self.go_on.is_set():
            return
        self.reached.set()
        assert self.go_on.wait(30)
        if self.is_to_fail:
            raise RuntimeError("the disk is gone")


@pytest.fixture
def holding() -> Iterator[Holding]:
    """Give what holds the recording of a store that is opened with `progress=holding.tell`."""
    made = Holding()
    yield made
    made.go_on.set()


@pytest.fixture
def large(folder: Path) -> Path:
    """Give a large folder that no datastore has seen, with labels of two tags and files that not all are taken in."""
    names = [f"i{number:05}.nii.gz" for number in range(MANY)]
    names += ["i00003.nii", "notes.txt", "two.parts.nii.gz", ".hidden.nii.gz", "b\nreak.nii.gz"]
    names += [f"labels/final/i{number:05}.nii.gz" for number in range(0, MANY, 50)]
    names += ["labels/final/two.parts_seg.nii.gz", "labels/final/nobody.nii.gz", "labels/original/i00001.nii.gz"]
    for tag in ("final", "original"):
        (folder / "labels" / tag).mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"bytes")
    return folder


def said(store: LocalDatastore) -> dict[str, Any]:
    """Give what a datastore says of its images and labels by their names."""
    ids = store.list_images()
    return {
        "ids": ids,
        "pages": [store.list_images(limit=3), store.list_images(limit=3, after=ids[2]), store.list_images(after=LAST)],
        "final": store.get_labeled_images(),
        "original": store.get_labeled_images("original"),
        "none": store.get_labeled_images("no such tag"),
        "structure": (store.get_labeled_images(labels=["liver"]), store.get_unlabeled_images(labels=["liver"])),
        "unlabelled": store.get_unlabeled_images(),
        "status": store.status(),
        "paths": [store.get_image_uri(id) for id in (*ids[::500], LAST, "two.parts", "nobody")],
        "labels": [store.get_label_uri(id, "final") for id in (ids[0], ids[1], "two.parts", "nobody")],
        "by image": [store.get_labels_by_image_id(id) for id in (*ids[:2], "two.parts", "nobody")],
        "about": (store.name(), store.description()),
    }


@pytest.mark.parametrize("recursive", [False, True])
def test_a_large_folder_is_listed_before_it_is_recorded(
    large: Path, open_store: Open, holding: Holding, recursive: bool
) -> None:
    """Lists, counts and paths are the same while files are recorded as they are afterwards."""
    store = open_store(progress=holding.tell, recursive=recursive)
    assert holding.reached.wait(30)
    before = said(store)
    holding.go_on.set()
    store.wait_until_recorded()
    assert before == said(store)
    assert len(before["ids"]) == MANY + 1 and before["status"]["completed"] == MANY // 50 + 1
    assert before["paths"][-1] == "" and os.path.exists(before["paths"][-2])


def test_what_needs_more_than_names_waits(large: Path, open_store: Open, holding: Holding, source: Any) -> None:
    """Infos and changes wait until their image is recorded, instead of taking it for unknown."""
    store = open_store(progress=holding.tell)
    assert holding.reached.wait(30)
    with ThreadPoolExecutor() as threads:
        info = threads.submit(store.get_image_info, LAST)
        saved = threads.submit(store.save_label, LAST, source("l.nii.gz"), "final", {"n": 1})
        holding.go_on.set()
        assert info.result(30)["name"] == f"{LAST}.nii.gz" and saved.result(30) == LAST
    assert LAST in store.get_labeled_images() and store.get_label_info(LAST, "final")["n"] == 1


def test_what_others_do_meanwhile_is_seen(large: Path, open_store: Open, holding: Holding, source: Any) -> None:
    """A list asked for after somebody else added an image has it."""
    store = open_store(progress=holding.tell)
    assert holding.reached.wait(30)
    open_store().add_image("added", source("a.nii.gz"), {})
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(store.list_images)
        holding.go_on.set()
        assert asked.result(30)[-1] == "added"


def test_a_half_written_file_has_no_path_yet(large: Path, open_store: Open, holding: Holding) -> None:
    """The path of an image that another program still writes is handed out only when it is whole."""
    with open(large / f"{LAST}.nii.gz", "ab"):
        store = open_store(progress=holding.tell)
        assert LAST in store.list_images() and store.get_image_uri(LAST) == ""
    assert store.get_image_uri(LAST) == str(large / f"{LAST}.nii.gz")
    holding.go_on.set()
    store.refresh()
    assert store.get_image_info(LAST)["path"] == str(large / f"{LAST}.nii.gz")


def test_a_recording_that_fails_is_done_again_by_the_next_call(
    large: Path, open_store: Open, holding: Holding, caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be recorded is told, stays listed, and is recorded by whoever needs it."""
    store = open_store(progress=holding.tell)
    assert holding.reached.wait(30)
    holding.is_to_fail = True
    holding.go_on.set()
    assert store.get_image_info(LAST)["name"] == f"{LAST}.nii.gz"
    assert "the disk is gone" in caplog.text
    assert len(store.list_images()) == MANY + 1


def test_closing_waits_until_all_is_recorded(large: Path, open_store: Open) -> None:
    """Whoever only lists a folder and closes it leaves a whole catalog and document behind."""
    with open_store() as store:
        listed = store.list_images()
    document = json.loads((large / "datastore_v2.json").read_text())
    assert sorted(document["objects"]) == sorted(listed)
    assert open_store().list_images() == listed


@pytest.mark.parametrize(("dies", "code"), [(False, 0), (True, 7)])
def test_a_program_that_ends_or_dies_loses_nothing(large: Path, open_store: Open, dies: bool, code: int) -> None:
    """A program that ends without closing records all first; where one dies, the next opening goes on."""
    program = [sys.executable, "-c", PROGRAM.format(dies=dies), str(large)]
    done = subprocess.run(program, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == code and not done.stderr, done.stderr
    store = open_store()
    found = [event for event in store.events(limit=3 * MANY) if event["action"] == "found"]
    assert len(found) == MANY + 1 + MANY // 50 + 2
    assert store.list_images() == sorted(store.list_images()) and len(store.list_images()) == MANY + 1
    assert store.get_image_info(LAST)["path"] == str(large / f"{LAST}.nii.gz")


def test_a_forked_child_records_what_its_parent_has_not(large: Path, open_store: Open, holding: Holding) -> None:
    """A child that is forked meanwhile, as training's workers are, has everything too."""
    store = open_store(progress=holding.tell)
    assert holding.reached.wait(30)

    def work() -> None:
        assert len(store.list_images()) == MANY + 1
        assert store.get_image_info(LAST)["name"] == f"{LAST}.nii.gz"

    in_child(work)
    holding.go_on.set()
    assert store.get_image_info(LAST)["name"] == f"{LAST}.nii.gz"
    assert len(store.list_images()) == MANY + 1


def test_a_watched_folder_is_recorded_when_it_is_open(large: Path, open_store: Open) -> None:
    """With `auto_reload` opening waits: what is watched is what is known."""
    store = open_store(auto_reload=True)
    assert store.last_event() == MANY + 1 + MANY // 50 + 2
