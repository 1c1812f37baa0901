"""What a refresh takes in, and the work that it leaves undone where nothing changed."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from tests.unit.datastore.ageing import let_age
from tests.waiting import until

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


def test_new_files_are_taken_in(store: LocalDatastore, folder: Path) -> None:
    """Images, labels and folders of new tags that were dropped into the folder are listed after a refresh."""
    (folder / "c.nii.gz").write_bytes(b"i")
    for tag in ("final", "version_1"):
        (folder / "labels" / tag).mkdir(exist_ok=True)
        (folder / "labels" / tag / "b.nii.gz").write_bytes(tag.encode())
    store.refresh()
    assert sorted(store.list_images()) == ["a", "b", "c"]
    assert store.get_image("c").read() == b"i"
    assert store.get_label("b", "final").read() == b"final"
    assert store.get_label("b", "version_1").read() == b"version_1"
    assert store.status() == {"total": 3, "completed": 2, "label_tags": {"final": 2, "original": 1, "version_1": 1}}


def test_gone_files_are_no_longer_listed(store: LocalDatastore, folder: Path) -> None:
    """Files that another program removed are not listed after a refresh, nor are the labels of a gone image."""
    (folder / "labels" / "original" / "a.nii.gz").unlink()
    (folder / "b.nii.gz").unlink()
    store.refresh()
    assert store.list_images() == ["a"] and store.get_labels_by_image_id("a") == {"final": "a"}
    (folder / "a.nii.gz").unlink()
    store.refresh()
    assert (store.list_images(), store.datalist(), store.get_labeled_images()) == ([], [], [])
    assert store.status()["total"] == 0


def test_a_file_replaced_by_a_rename_is_read_anew(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """A file that another program renamed over an image is a new version: other bytes, ETag and checksum."""
    with store.open_image("a") as before:
        etag = before.etag
    (tmp_path / "new").write_bytes(b"IMAGE A")  # of the same size
    os.replace(tmp_path / "new", folder / "a.nii.gz")
    store.refresh()
    with store.open_image("a") as after:
        assert os.read(after.fd, 100) == b"IMAGE A"
        assert after.etag != etag and after.size == 7
    assert store.image_checksum("a") == hashlib.sha256(b"IMAGE A").hexdigest()
    assert store.get_image_info("a")["modality"] == "CT"


def test_a_renamed_file_is_a_new_image(store: LocalDatastore, folder: Path) -> None:
    """A file that another program gave a new name is listed under it; the old name's info waits."""
    (folder / "a.nii.gz").rename(folder / "z.nii.gz")
    store.refresh()
    assert sorted(store.list_images()) == ["b", "z"] and store.get_image("z").read() == b"image a"
    (folder / "z.nii.gz").rename(folder / "a.nii.gz")
    store.refresh()
    assert store.get_image_info("a")["modality"] == "CT" and store.get_labels_by_image_id("a").keys() >= {"final"}


def test_a_file_that_changes_its_extension_stays_the_image(store: LocalDatastore, folder: Path) -> None:
    """An image or label that another program gave another extension keeps its info, after one refresh."""
    (folder / "a.nii.gz").rename(folder / "a.nii")
    (folder / "labels" / "final" / "a.nii.gz").rename(folder / "labels" / "final" / "a.nii")
    store.refresh()
    assert store.get_image("a").read() == b"image a" and store.get_label("a", "final").read() == b"label a"
    assert store.get_image_info("a")["modality"] == "CT" and store.get_image_info("a")["name"] == "a.nii"
    assert store.get_label_info("a", "final")["client_id"] == "ann"


def test_the_other_file_of_an_id_comes_up(open_store: Open, folder: Path) -> None:
    """When the file that had an id is gone, the other one that gave the same id takes its place after one refresh."""
    (folder / "x.png").write_bytes(b"first")
    store = open_store(extensions=("*.nii.gz", "*.png"))
    (folder / "x.nii.gz").write_bytes(b"second")
    store.refresh()
    (folder / "x.png").unlink()
    store.refresh()
    assert store.get_image("x").read() == b"second" and store.problems() == []


def test_a_removed_image_that_is_dropped_in_again_is_new(store: LocalDatastore, folder: Path) -> None:
    """An image removed on purpose comes back without its old info or labels when its file is dropped in again."""
    store.remove_image("a")
    store.refresh()
    assert store.list_images() == ["b"]
    (folder / "a.nii.gz").write_bytes(b"from elsewhere")
    store.refresh()
    assert store.get_image("a").read() == b"from elsewhere"
    assert "modality" not in store.get_image_info("a") and store.get_labels_by_image_id("a") == {}


def test_a_file_dropped_in_the_same_moment_is_seen(open_store: Open, folder: Path) -> None:
    """However coarse the clock of the disk, a file dropped right after a refresh is taken in by the next."""
    store = open_store()
    for n in range(150):
        (folder / f"{n}.nii").write_bytes(b"")
        store.refresh()
        assert len(store.list_images()) == n + 1


def test_a_file_dropped_during_a_pass_is_seen_by_the_next(open_store: Open, folder: Path) -> None:
    """What comes after a folder was read, and before the pass over it ends, is taken in by the next refresh."""
    images = folder / "scans"
    dropped: list[str] = []

    def drop(what: str, done: int, total: int | None) -> None:
        if "taking" in what and not dropped:
            dropped.append(what)
            (images / "late.nii.gz").write_bytes(b"late")

    open_store(images_dir="scans").close()
    (images / "a.nii.gz").write_bytes(b"i")
    let_age(images)
    store = open_store(images_dir="scans", progress=drop)
    assert store.list_images()[0] == "a" and dropped
    store.refresh()
    assert sorted(store.list_images()) == ["a", "late"]


def test_labels_wait_for_their_image(open_store: Open, folder: Path) -> None:
    """A label's file without an image is no label; it is taken in when the image comes."""
    store = open_store()
    (folder / "labels" / "final" / "late.nii.gz").write_bytes(b"l")
    store.refresh()
    assert store.list_images() == []
    (folder / "late.nii.gz").write_bytes(b"i")
    store.refresh()
    assert store.get_label("late", "final").read() == b"l"


def test_labels_wait_in_a_folder_that_is_known(store: LocalDatastore, folder: Path) -> None:
    """A tag that has no label yet is looked at again, however long ago the labels' folder changed."""
    (folder / "labels" / "third").mkdir()
    let_age(folder / "labels")
    store.refresh()
    (folder / "labels" / "third" / "late.nii.gz").write_bytes(b"l")
    store.refresh()
    (folder / "late.nii.gz").write_bytes(b"i")
    store.refresh()
    assert store.get_label("late", "third").read() == b"l"


def test_links_are_images_and_labels(open_store: Open, folder: Path, tmp_path: Path) -> None:
    """Links to files are taken in, with the target's real path; dangling ones and those to folders are not."""
    target = tmp_path / "archive.nii.gz"
    target.write_bytes(b"far away")
    store = open_store()
    (folder / "a.nii.gz").symlink_to(target)
    (folder / "labels" / "final" / "a.nii.gz").symlink_to(target)
    (folder / "dangling.nii.gz").symlink_to(tmp_path / "nowhere")
    (folder / "dir.nii.gz").symlink_to(tmp_path)
    (folder / "folder.nii.gz").mkdir()
    store.refresh()
    assert store.list_images() == ["a"] and store.get_image_uri("a") == str(target)
    assert store.get_image("a").read() == store.get_label("a", "final").read() == b"far away"


@pytest.mark.parametrize("recursive", [False, True])
def test_a_link_that_leads_nowhere_is_told_until_its_file_is_there(
    open_store: Open, folder: Path, tmp_path: Path, recursive: bool
) -> None:
    """A link to no file, or in a circle, that would be an image or a label is a problem, in a sentence."""
    (folder / "labels" / "final").mkdir(parents=True)
    (folder / "a.nii.gz").write_bytes(b"image")
    (folder / "b.nii.gz").symlink_to(tmp_path / "b")
    (folder / "c.nii.gz").symlink_to("c.nii.gz")
    (folder / "notes.txt").symlink_to(tmp_path / "no notes")
    (folder / "labels" / "final" / "a.nii.gz").symlink_to(tmp_path / "l")
    store = open_store(recursive=recursive)
    what = "it is a link that leads to no file; bring back what it leads to, or remove the link"
    links = ("labels/final/a.nii.gz", "b.nii.gz", "c.nii.gz")
    assert sorted(store.problems()) == sorted(f"{place}: {what}" for place in links)
    (tmp_path / "b").write_bytes(b"brought back")
    for link in (folder / "c.nii.gz", folder / "labels" / "final" / "a.nii.gz"):
        link.unlink()
    store.refresh()
    assert store.list_images() == ["a", "b"] and store.problems() == []


def test_a_listed_link_that_leads_nowhere_is_told_once(open_store: Open, folder: Path, tmp_path: Path) -> None:
    """The link of an image that is listed is missing when its target goes, and not a problem besides."""
    (tmp_path / "far").write_bytes(b"far away")
    (folder / "a.nii.gz").symlink_to(tmp_path / "far")
    store = open_store()
    (tmp_path / "far").unlink()
    (folder / "b.nii.gz").write_bytes(b"image")
    store.refresh()
    assert store.problems() == ["a.nii.gz: missing; its info waits for it"]


def test_the_real_path_of_a_link_is_that_of_its_target(
    open_store: Open, folder: Path, tmp_path: Path, source: Source
) -> None:
    """What tells a path tells a link's target, where the link leads now; a file in the link's place tells its own."""
    target, other = tmp_path / "archive.nii.gz", tmp_path / "other.nii.gz"
    target.write_bytes(b"far away")
    other.write_bytes(b"further away")
    image, label = folder / "a.nii.gz", folder / "labels" / "final" / "a.nii.gz"
    label.parent.mkdir(parents=True)
    image.symlink_to(target)
    label.symlink_to(target)
    store = open_store()
    assert store.get_image_info("a")["path"] == store.get_label_uri("a", "final") == str(target)
    assert (
        store.datalist()
        == store.datalist(as_of=store.events()[-1]["seq"])
        == [{"image": str(target), "label": str(target)}]
    )
    image.unlink()
    image.symlink_to(other)
    store.save_label("a", source("l.nii.gz", b"new"), "final", {})
    store.refresh()
    assert store.datalist() == [{"image": str(other), "label": str(label)}]
    image.unlink()
    image.write_bytes(b"here")
    store.refresh()
    assert store.get_image_uri("a") == str(image)


def test_a_linked_tag_folder(open_store: Open, folder: Path, tmp_path: Path) -> None:
    """A tag's folder may be a link to a folder elsewhere."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "a.nii.gz").write_bytes(b"l")
    (folder / "a.nii.gz").write_bytes(b"i")
    store = open_store()
    (folder / "labels" / "team").symlink_to(tmp_path / "team")
    store.refresh()
    assert store.get_label("a", "team").read() == b"l"


def test_folders_elsewhere(open_store: Open, folder: Path, tmp_path: Path, source: Source) -> None:
    """Images and labels may lie anywhere, told by absolute paths, also in the document and on opening again."""
    elsewhere: dict[str, Any] = {"images_dir": str(tmp_path / "images"), "labels_dir": str(tmp_path / "masks")}
    store = open_store(**elsewhere)
    store.add_image("a", source("a.nii.gz", b"i"), {})
    store.save_label("a", source("l.nii.gz", b"l"), "final", {})
    (tmp_path / "images" / "b.nii.gz").write_bytes(b"dropped")
    (tmp_path / "masks" / "v1").mkdir()
    (tmp_path / "masks" / "v1" / "b.nii.gz").write_bytes(b"dropped")
    store.refresh()
    assert (tmp_path / "images" / "a.nii.gz").read_bytes() == b"i"
    assert (tmp_path / "masks" / "final" / "a.nii.gz").read_bytes() == b"l"
    assert store.get_labels_by_image_id("b") == {"v1": "b"}
    assert store.datalist() == [{"image": f"{tmp_path}/images/a.nii.gz", "label": f"{tmp_path}/masks/final/a.nii.gz"}]
    assert sorted(p.name for p in (tmp_path / "images").iterdir() if not p.name.startswith(".")) == [
        "a.nii.gz",
        "b.nii.gz",
    ]
    store.close()
    assert open_store(**elsewhere).json() == json.loads((folder / "datastore_v2.json").read_bytes())


def test_files_from_the_far_future_are_taken_in(open_store: Open, folder: Path, source: Callable[..., str]) -> None:
    """A file dated later than a database can say is listed, read, replaced and found unchanged like any other."""
    path = folder / "a.nii.gz"
    path.write_bytes(b"image a")
    os.utime(path, (9_300_000_000, 9_300_000_000))
    assert path.stat().st_mtime_ns >= 2**63, "this disk keeps no such times"
    store = open_store()
    image = store.get_image("a")
    assert image is not None and image.read() == b"image a"
    store.refresh()
    assert [v["version"] for v in store.image_versions("a")] == [1]
    assert [f for f in check(folder, deep=True, low_space=0) if f.stands] == []
    store.add_image("a", source("b.nii.gz", b"image b"), {})
    assert [v["kept"] for v in store.image_versions("a")] == [True, True]


def test_images_and_labels_in_one_place_are_told_apart(open_store: Open, folder: Path) -> None:
    """Sub-folders of the images' folder are no images, and own files of the datastore are none either."""
    (folder / "sub").mkdir()
    (folder / "sub" / "x.nii.gz").write_bytes(b"i")
    store = open_store(extensions=("*",))
    (folder / "a.txt").write_bytes(b"i")
    store.refresh()
    assert store.list_images() == ["a"], "own files of the datastore were taken for images"


COUNT = """
passes = []
counting = False
def count(event, arguments):
    if counting and event in ("os.scandir", "os.listdir"):
        passes.append(str(arguments[0]))
sys.addaudithook(count)
folder = sys.argv[1]
store = LocalDatastore(folder)
def counted():
    global counting
    passes.clear()
    counting = True
    store.refresh()
    counting = False
    return len(passes)
settled = next((n for n in range(2000) if counted() == 0), None)
quiet = [counted() for _ in range(3)]
"""


def test_no_pass_where_no_folder_changed(store: LocalDatastore, folder: Path, child: Callable[..., Any]) -> None:
    """Where no folder changed, a refresh reads none; a file dropped in or taken away is then still seen."""
    store.close()
    let_age(folder)
    seen = child(
        COUNT
        + """
open(folder + "/c.nii.gz", "wb").close()
dropped, after_drop = counted(), store.list_images()
os.unlink(folder + "/labels/final/a.nii.gz")
removed, after_removal = counted(), store.get_labeled_images()
print(json.dumps([settled, quiet, dropped, after_drop, removed, after_removal]))
""",
        folder,
    )
    settled, quiet, dropped, after_drop, removed, after_removal = seen
    assert settled is not None and quiet == [0, 0, 0]
    assert dropped >= 1 and after_drop == ["a", "b", "c"]
    assert removed >= 1 and after_removal == []


def test_no_pass_for_a_folder_that_is_gone(store: LocalDatastore, folder: Path, child: Callable[..., Any]) -> None:
    """A tag's folder that somebody removed is looked for, not read again and again; one that comes back is read."""
    store.close()
    let_age(folder)
    seen = child(
        COUNT
        + """
import shutil
shutil.rmtree(folder + "/labels/final")
counted()
left = next((n for n in range(2000) if counted() == 0), None), store.get_labeled_images()
os.mkdir(folder + "/labels/final")
open(folder + "/labels/final/a.nii.gz", "wb").close()
back = counted(), store.get_labeled_images()
print(json.dumps([*left, *back]))
""",
        folder,
    )
    settled, left, passes, labelled = seen
    assert settled is not None and left == []
    assert passes >= 1 and labelled == ["a"]


def test_one_pass_over_each_folder(store: LocalDatastore, folder: Path, child: Callable[..., Any]) -> None:
    """A refresh that has something to take in reads each folder at most once."""
    store.close()
    let_age(folder)
    passes = child(
        COUNT
        + """
for n in range(50):
    open(folder + f"/new_{n}.nii.gz", "wb").close()
    open(folder + f"/labels/final/new_{n}.nii.gz", "wb").close()
counted()
print(json.dumps([passes, len(store.list_images()), len(store.get_labeled_images())]))
""",
        folder,
    )
    assert passes[1:] == [52, 51]
    assert len(passes[0]) <= 4, passes[0]


def test_no_stat_for_each_file(store: LocalDatastore, folder: Path, child: Callable[..., Any]) -> None:
    """A refresh that finds one new file among hundreds does not ask the disk about each of the known ones."""
    store.close()
    for n in range(400):
        (folder / f"known_{n}.nii.gz").touch()
    calls = child(
        """
import threading
store = LocalDatastore(sys.argv[1])
store.refresh()
calls = []
def spying(name):
    real = getattr(os, name)
    def spy(*arguments, **options):
        if threading.current_thread() is threading.main_thread():  # not the background pass for checksums
            calls.append(name)
        return real(*arguments, **options)
    setattr(os, name, spy)
for name in ("stat", "lstat", "open", "access", "readlink"):
    spying(name)
open(sys.argv[1] + "/new.nii.gz", "wb").close()
calls.clear()
store.refresh()
print(json.dumps([len(calls), len(store.list_images())]))
""",
        folder,
    )
    assert calls[1] == 403
    assert calls[0] < 50, f"{calls[0]} calls that ask the disk about a name"


@pytest.mark.parametrize("patterns", [("*_ct.nii.gz",), ["*.nii.gz", "*.png"]], ids=str)
def test_patterns_hold_for_a_refresh(open_store: Open, folder: Path, patterns: Any) -> None:
    """A refresh takes in what the patterns of this datastore name, and nothing else."""
    store = open_store(extensions=patterns)
    for name in ("c_ct.nii.gz", "d.txt", "e.nii"):
        (folder / name).write_bytes(b"i")
    store.refresh()
    assert store.list_images() == (["c"] if "*_ct.nii.gz" in patterns else ["c_ct"])


def test_a_copied_folder_keeps_its_versions(
    store: LocalDatastore, folder: Path, open_store: Open, tmp_path: Path
) -> None:
    """Copied without its times (`cp -r`), each file is the version that it was, with who made it."""
    until(lambda: all(store.image_versions(image)[0]["sha256"] for image in ("a", "b")))
    store.close()
    known = open_store().last_event()
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    for path in (tmp_path / "copy").rglob("*.nii.gz"):
        os.utime(path, ns=(10**18, 10**18))
    (tmp_path / "copy" / "labels" / "original" / "a.nii.gz").write_bytes(b"PROPOSAL A")  # of the same size
    copy = open_store(tmp_path / "copy")
    assert [(e["action"], e["image"], e["tag"]) for e in copy.events(after=known)] == [("changed", "a", "original")]
    assert copy.label_versions("a", "final")[-1]["current"] and copy.label_versions("a", "final")[-1]["kept"]
    assert not copy.problems() and copy.get_label_info("a", "final")["client_id"] == "ann"
