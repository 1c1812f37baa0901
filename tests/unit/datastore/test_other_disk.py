"""Images, labels and own files on disks of their own, where nothing can be renamed from one to the other."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore

Source = Callable[..., str]


@pytest.fixture
def other_disk(folder: Path) -> Iterator[Path]:
    """A folder on another disk: the system's shared memory, which every Linux has."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        assert os.stat(path).st_dev != os.stat(folder).st_dev
        yield Path(path)


def exercise(store: LocalDatastore, source: Source) -> None:
    """Add, stage, replace, remove and restore."""
    store.add_image("n", source("n.nii.gz", b"image"), {})
    with store.stage("s.nii.gz") as staged:
        staged.write(b"staged")
        store.add_image("s", staged, {})
    for version in (b"one", b"two"):
        store.save_label("n", source("l.nii.gz", version), "final", {})
    store.remove_image("s")
    store.restore_image("s")
    image, label = store.get_image("s"), store.get_label("n", "final", version=1)
    assert image is not None and image.read() == b"staged"
    assert label is not None and label.read() == b"one"


def test_images_and_labels_on_another_disk(folder: Path, other_disk: Path, source: Source) -> None:
    """Absolute `images_dir` and `labels_dir` work as any, and every change stays a rename on its own disk."""
    images, labels = other_disk / "images", other_disk / "labels"
    with LocalDatastore(str(folder), images_dir=str(images), labels_dir=str(labels)) as store:
        exercise(store, source)
        assert store.datalist() == [{"image": str(images / "n.nii.gz"), "label": str(labels / "final" / "n.nii.gz")}]
    assert not (folder / ".monailabel" / "staging").exists() or not list((folder / ".monailabel" / "staging").iterdir())


def test_own_files_on_another_disk(folder: Path, other_disk: Path, source: Source) -> None:
    """With `state_dir` elsewhere the catalog lies there, and the folder opens from it again."""
    state = other_disk / "state"
    with LocalDatastore(str(folder), state_dir=str(state)) as store:
        exercise(store, source)
        before = store.json()
    assert (state / "catalog.db").exists() and not (folder / ".monailabel" / "catalog.db").exists()
    with LocalDatastore(str(folder), state_dir=str(state)) as store:
        assert store.json() == before
        assert len(store.label_versions("n", "final")) == 2
