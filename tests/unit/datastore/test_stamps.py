"""Changes of our own make no folder be read again, and hide nothing that others do in the same moment."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monailabel.datastore import change
from monailabel.datastore.local import LocalDatastore
from monailabel.files import news
from tests.unit.datastore.reads import folders_read

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


@pytest.fixture
def known(open_store: Open, folder: Path, note_stamps: Callable[[LocalDatastore], None]) -> Open:
    """A folder of five images that has been opened before, and counts as a large one; gives what opens it again."""
    for name in "abcde":
        (folder / f"{name}.nii.gz").write_bytes(name.encode())
    note_stamps(open_store())
    return open_store


def change_all(store: LocalDatastore, source: Source) -> None:
    """Make changes of every kind that moves files."""
    store.add_image("new", source("new.nii.gz", b"new"), {})
    store.add_image("a", source("a.nii", b"other extension"), {})
    store.save_label("b", source("l.nii.gz", b"one"), "final", {})
    store.save_label("b", source("l.nii.gz", b"two"), "final", {})
    store.save_label("c", source("l.nii.gz"), "original", {})
    store.remove_label("c", "original")
    store.remove_image("d")


def test_our_own_changes_make_no_folder_be_read(known: Open, folder: Path, source: Source) -> None:
    """After changes, neither a refresh nor the next opening reads a folder, and all is listed."""
    store = known()
    change_all(store, source)
    assert folders_read(folder, store.refresh) == []
    listed = store.json()
    store.close()
    assert folders_read(folder, lambda: known().close()) == []
    again = known()
    assert again.json() == listed and again.list_images() == ["a", "b", "c", "e", "new"]
    assert again.problems() == []


def test_a_document_that_takes_its_time_makes_no_folder_be_read(
    known: Open, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier changes are settled while the document is written, whose entry moves the folder's stamp after that."""
    store = known()
    store.add_image("new", source("new.nii.gz", b"new"), {})
    parts = store._store
    write = parts.snapshot.write

    def slowly(*, durable: bool = False) -> None:
        parts.stamps.settle(last=True)
        write(durable=durable)

    with monkeypatch.context() as patched:
        patched.setattr(parts.snapshot, "write", slowly)
        store.set_description("another")
        parts.write_snapshot()
    store.close()
    assert folders_read(folder, lambda: known().close()) == []


class Intruder:
    """Another program that does something when a change of ours, not one of the background, enters a step."""

    def __init__(self, step: str, does: Callable[[], object]) -> None:
        self.step, self.does = step, does

    def __call__(self, step: str) -> None:
        """Do it once."""
        if step == self.step and threading.current_thread() is threading.main_thread():
            self.step = ""
            self.does()


@pytest.fixture(autouse=True)
def no_intruder() -> Iterator[None]:
    """Let nobody interrupt the changes of the next test."""
    yield
    change.on_step = None


@pytest.mark.parametrize("step", ["stage", "commit", "publish", "done"])
def test_what_others_bring_meanwhile_is_found(known: Open, folder: Path, source: Source, step: str) -> None:
    """Images and labels that another program drops in during a change of ours are listed at the next opening."""

    def intrude() -> None:
        (folder / "dropped.nii.gz").write_bytes(b"dropped")
        (folder / "labels" / "final" / "e.nii.gz").write_bytes(b"label")
        (folder / "labels" / "team").mkdir()
        (folder / "labels" / "team" / "e.nii.gz").write_bytes(b"label")

    store = known()
    change.on_step = Intruder(step, intrude)
    store.add_image("new", source("new.nii.gz"), {})
    store.save_label("a", source("l.nii.gz"), "final", {})
    store.close()
    again = known()
    assert sorted(again.list_images()) == ["a", "b", "c", "d", "dropped", "e", "new"]
    assert sorted(again.get_labels_by_image_id("e")) == ["final", "team"]


@pytest.mark.parametrize("what", ["removed", "replaced", "renamed"])
def test_what_others_do_to_our_newest_file_is_found(known: Open, folder: Path, source: Source, what: str) -> None:
    """A file that we have just shown, and that another program takes away or replaces, is not taken for ours."""
    path = folder / "new.nii.gz"

    def intrude() -> None:
        if what == "removed":
            path.unlink()
        elif what == "replaced":
            (folder / ".hidden").write_bytes(b"by another")
            (folder / ".hidden").replace(path)
        else:
            path.rename(folder / "renamed.nii.gz")

    store = known()
    change.on_step = Intruder("done", intrude)
    store.add_image("new", source("new.nii.gz"), {})
    store.close()
    again = known()
    expected = {"removed": "abcde", "replaced": [*"abcde", "new"], "renamed": [*"abcde", "renamed"]}
    assert sorted(again.list_images()) == sorted(expected[what])
    if what == "replaced":
        image = again.get_image("new")
        assert image is not None and image.read() == b"by another"
        assert again.image_versions("new")[-1]["action"] == "changed"


def test_the_document_among_the_images(known: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing datastore_v2.json makes no folder be read; what comes in that moment is found all the same."""
    store = known()
    store.set_description("another")
    store.close()
    assert folders_read(folder, lambda: known().close()) == []
    replace = os.replace

    def interrupted(source: str, target: str) -> None:
        if os.path.basename(target) == "datastore_v2.json":
            (folder / "dropped.nii.gz").write_bytes(b"dropped")
        replace(source, target)

    store = known()
    monkeypatch.setattr(os, "replace", interrupted)
    store.set_description("a third")
    store.close()
    monkeypatch.undo()
    assert (folder / "dropped.nii.gz").exists()
    assert "dropped" in known().list_images()


def test_without_a_watch_folders_are_read_again(
    known: Open, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no watch to give, changes work as ever, and the next opening reads the folders."""

    def none() -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(news.News, "__init__", lambda self: none())
    store = known()
    change_all(store, source)
    (folder / "dropped.nii.gz").write_bytes(b"dropped")
    store.close()
    again = known()
    assert sorted(again.list_images()) == ["a", "b", "c", "dropped", "e", "new"]


def test_no_watch_stays_behind(known: Open, source: Source, eventually: Callable[..., None]) -> None:
    """When changes have settled, the datastore holds no watch."""

    def watches() -> int:
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return sum("inotify" in os.readlink(link) for link in links if os.path.islink(link))

    store = known()
    before = watches()
    change_all(store, source)
    assert watches() == before + 1
    eventually(lambda: watches() == before)
