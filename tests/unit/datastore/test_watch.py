"""What a watched datastore sees without being asked, and that closing ends the watching."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore

Open = Callable[..., LocalDatastore]
Eventually = Callable[..., None]


@pytest.fixture
def watched(open_store: Open, folder: Path) -> LocalDatastore:
    """Give a datastore that watches its folder, with one image."""
    (folder / "a.nii.gz").write_bytes(b"image a")
    return open_store(auto_reload=True)


def test_dropped_files_are_seen(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """An image and a label that are copied into the folder are listed by themselves."""
    (folder / "b.nii.gz").write_bytes(b"i")
    (folder / "labels" / "final" / "a.nii.gz").write_bytes(b"l")
    eventually(lambda: watched.list_images() == ["a", "b"] and watched.get_labeled_images() == ["a"])
    assert watched.get_label("a", "final").read() == b"l"


def test_a_slow_copy_is_seen_when_it_is_whole(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """A file that is written in two strokes is listed when it has been closed, with all its bytes."""
    with open(folder / "b.nii.gz", "wb") as copying:
        copying.write(b"half ")
        copying.flush()
        (folder / "c.nii.gz").write_bytes(b"i")
        eventually(lambda: "c" in watched.list_images())
        assert "b" not in watched.list_images()
        copying.write(b"and half")
    eventually(lambda: "b" in watched.list_images())
    assert watched.get_image("b").read() == b"half and half"


def test_renames_into_place_are_seen(
    watched: LocalDatastore, folder: Path, tmp_path: Path, eventually: Eventually
) -> None:
    """A file renamed into the folder, from outside or from a hidden name inside, is listed."""
    (tmp_path / "outside").write_bytes(b"from outside")
    (tmp_path / "outside").rename(folder / "b.nii.gz")
    eventually(lambda: "b" in watched.list_images())
    (folder / ".part").write_bytes(b"from inside")
    (folder / ".part").rename(folder / "c.nii.gz")
    eventually(lambda: "c" in watched.list_images())
    assert watched.get_image("c").read() == b"from inside"


def test_a_rename_inside_is_seen(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """A file that gets another name is listed under it, and no longer under the old one."""
    (folder / "a.nii.gz").rename(folder / "z.nii.gz")
    eventually(lambda: watched.list_images() == ["z"])


def test_a_removal_is_seen(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """A file that another program removes is no longer listed."""
    (folder / "a.nii.gz").unlink()
    eventually(lambda: watched.list_images() == [])


def test_new_tag_folders_are_seen(
    watched: LocalDatastore, folder: Path, tmp_path: Path, eventually: Eventually
) -> None:
    """A label in a tag's folder that did not exist before is seen, made in place or moved in as a whole."""
    (folder / "labels" / "version_1").mkdir()
    (folder / "labels" / "version_1" / "a.nii.gz").write_bytes(b"one")
    eventually(lambda: "version_1" in watched.get_labels_by_image_id("a"))
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "a.nii.gz").write_bytes(b"two")
    (tmp_path / "whole").rename(folder / "labels" / "version_2")
    eventually(lambda: "version_2" in watched.get_labels_by_image_id("a"))
    (folder / "labels" / "version_2" / "a.nii.gz").unlink()
    eventually(lambda: watched.get_labels_by_image_id("a") == {"version_1": "a"})


@pytest.mark.parametrize("way", ["in place", "by rename"])
def test_an_edited_document_is_seen(watched: LocalDatastore, folder: Path, eventually: Eventually, way: str) -> None:
    """Infos that another program writes into the document are taken in, however it replaces the file."""
    content = json.loads((folder / "datastore_v2.json").read_bytes())
    content["objects"]["a"]["image"]["info"]["modality"] = "CT"
    target = folder / ("datastore_v2.json" if way == "in place" else ".edited")
    target.write_text(json.dumps(content))
    os.replace(target, folder / "datastore_v2.json")
    eventually(lambda: watched.get_image_info("a").get("modality") == "CT")


def test_bytes_changed_in_place_are_seen(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """A file that another program rewrites in place becomes a new version."""
    version, info = version_of(watched), watched.get_image_info("a")
    with open(folder / "a.nii.gz", "r+b") as file:
        file.write(b"IMAGE A")
    eventually(lambda: version_of(watched) > version)
    assert watched.image_checksum("a") == hashlib.sha256(b"IMAGE A").hexdigest()
    assert watched.get_image_info("a") == info


def version_of(store: LocalDatastore) -> int:
    """Give the version of the image `a`."""
    with store.open_image("a") as file:
        return file.version


def test_a_burst_is_seen(watched: LocalDatastore, folder: Path, eventually: Eventually) -> None:
    """300 images with their labels dropped at once are all listed."""
    for n in range(300):
        (folder / f"burst_{n}.nii.gz").write_bytes(b"%d" % n)
        (folder / "labels" / "final" / f"burst_{n}.nii.gz").write_bytes(b"%d" % n)
    eventually(lambda: watched.status()["total"] == 301 and watched.status()["completed"] == 300)
    assert all(watched.get_label(f"burst_{n}", "final").read() == b"%d" % n for n in range(300))


def test_own_changes_stay_as_they_are(watched: LocalDatastore, source: Callable[..., str], folder: Path) -> None:
    """The watcher takes none of the datastore's own changes for another program's: no version is made twice."""
    watched.add_image("b", source("b.nii.gz", b"one"), {"k": 1})
    watched.save_label("b", source("l.nii.gz", b"one"), "fresh", {"k": 2})
    watched.refresh()
    with watched.open_image("b") as image, watched.open_label("b", "fresh") as label:
        assert (image.version, label.version) == (1, 1)
    assert watched.get_image_info("b")["k"] == 1 and watched.get_label_info("b", "fresh")["k"] == 2


def tasks() -> int:
    """Count the threads of this process, those of extension modules included."""
    return len(os.listdir("/proc/self/task"))


def watches() -> int:
    """Count this process's inotify descriptors."""
    return sum("inotify" in os.readlink(f"/proc/self/fd/{fd}") for fd in descriptors())


def descriptors() -> list[str]:
    """List this process's descriptors that are still open when looked at."""
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")]


@pytest.mark.parametrize("way", ["close", "with"])
def test_closing_ends_the_watching(folder: Path, source: Callable[..., str], eventually: Eventually, way: str) -> None:
    """`close()` and leaving `with` leave no thread and no descriptor behind."""
    file = source("a.nii.gz")
    with LocalDatastore(str(folder), auto_reload=True):
        pass  # whatever is set up once for a process is now set up
    eventually(lambda: watches() == 0)
    before = tasks(), threading.active_count(), len(descriptors())
    if way == "with":
        with LocalDatastore(str(folder), auto_reload=True) as store:
            store.add_image("a", file, {})
    else:
        store = LocalDatastore(str(folder), auto_reload=True)
        store.add_image("a", file, {})
        store.close()
        store.close()  # a second time is no error
    eventually(lambda: tasks() <= before[0] and threading.active_count() <= before[1])
    eventually(lambda: len(descriptors()) <= before[2] and watches() == 0)


def test_without_auto_reload_nothing_is_watched(store: LocalDatastore) -> None:
    """A datastore that was not asked to watch holds no watch."""
    assert watches() == 0


def test_watching_read_only(
    open_store: Open, folder: Path, tree: Callable[..., object], eventually: Eventually
) -> None:
    """A datastore opened read-only can watch too, and writes nothing."""
    (folder / "a.nii.gz").write_bytes(b"i")
    store = open_store(auto_reload=True, read_only=True)
    (folder / "b.nii.gz").write_bytes(b"i")
    before = tree(folder)
    eventually(lambda: store.list_images() == ["a", "b"])
    store.close()
    assert tree(folder) == before
