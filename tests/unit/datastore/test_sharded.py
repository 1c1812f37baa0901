"""A sharded datastore: where its files lie, that it stays one, and that everything works as beside each other."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.backup import bring_up
from monailabel.datastore.check import Finding, check
from monailabel.datastore.local import LocalDatastore
from monailabel.files.layout import Sharded
from monailabel.interfaces.exception import InvalidInputException
from tests.unit.datastore.ageing import let_age
from tests.unit.datastore.exchanging import exchanged_for_a_link
from tests.unit.datastore.reads import folders_read

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
NoteStamps = Callable[[LocalDatastore], None]
IDS = ("a", "case.7", "1.2.840.113619.2.55", "ünïcode", "two words")


def place(image_id: str, ext: str = ".nii.gz") -> str:
    """Give where a file lies, by the rule of docs/layouts.md."""
    digits = hashlib.sha256(image_id.encode()).hexdigest()
    return f"{digits[0]}/{digits[1]}/{image_id}{ext}"


def found(folder: Path, **options: Any) -> list[Finding]:
    """Check a folder, whatever this machine has beside it."""
    return [finding for finding in check(folder, low_space=0, **options) if finding.kind != "module"]


@pytest.fixture
def sharded(open_store: Open, source: Source) -> LocalDatastore:
    """Give a sharded datastore of some images, each with a label that was saved twice."""
    store = open_store(layout="sharded")
    for id in IDS:
        store.add_image(id, source("i.nii.gz", f"image {id}".encode()), {"of": id})
        for data in (b"first ", b"second "):
            store.save_label(id, source("l.nrrd", data + id.encode()), "final", {})
    return store


def test_files_lie_where_the_rule_says(sharded: LocalDatastore, folder: Path) -> None:
    """Image and label are in the folder of the id's SHA-256, and every way to ask for them leads there."""
    for id in IDS:
        image, label = folder / place(id), folder / "labels" / "final" / place(id, ".nrrd")
        assert image.read_bytes() == f"image {id}".encode() and label.read_bytes() == b"second " + id.encode()
        assert sharded.get_image_uri(id) == str(image) and sharded.get_label_uri(id, "final") == str(label)
        assert sharded.get_label(id, "final", version=1).read() == b"first " + id.encode()
        assert {"image": str(image), "label": str(label)} in sharded.datalist()
    assert {"image": place("a"), "label": f"labels/final/{place('a', '.nrrd')}"} in sharded.datalist(False)
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == [".lock", "datastore_v2.json"]


@pytest.mark.parametrize("ext", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".json", ".OME.tif", ".dcm", ""])
def test_labels_lie_beside_images_whatever_their_format(ext: str) -> None:
    """What follows the id decides nothing, so that all files of an image share a folder's name."""
    for id in ("case_7", "1.2.840", "ab.12"):
        assert Sharded().place(f"final/{id}{ext}") == f"final/{place(id, ext)}"


def test_names_are_as_ever(sharded: LocalDatastore, folder: Path) -> None:
    """Infos and document name files by id and extension: places are nobody's business but the folder's."""
    assert sharded.get_image_info("a")["name"] == "a.nii.gz"
    sharded.close()
    document = json.loads((folder / "datastore_v2.json").read_text())
    assert document["objects"]["a"]["image"]["info"]["name"] == "a.nii.gz"
    assert "layout" not in document


@pytest.mark.parametrize(
    "given",
    [{"layout": "flat"}, {"recursive": True}, {"layout": "flat", "recursive": False}],
    ids=["flat", "recursive", "both"],
)
def test_another_layout_is_refused_with_what_it_is(sharded: LocalDatastore, open_store: Open, given: Any) -> None:
    """Whoever names another layout is told which one the datastore has, and nothing changes."""
    sharded.close()
    with pytest.raises(InvalidInputException, match="layout='sharded'"):
        open_store(**given)
    for again in ({}, {"layout": "sharded"}, {"recursive": False}, {"read_only": True}):
        assert open_store(**again).list_images() == list(IDS)


def test_a_flat_one_stays_flat(store: LocalDatastore, open_store: Open, folder: Path) -> None:
    """A datastore that is known is not made another, not even an empty one; it is told what to do instead."""
    with pytest.raises(InvalidInputException, match="add_images"):
        open_store(layout="sharded")
    open_store(folder.parent / "empty").close()
    with pytest.raises(InvalidInputException, match="layout='flat'"):
        open_store(folder.parent / "empty", layout="sharded")


@pytest.mark.parametrize(
    "given",
    [
        {"layout": "sharded", "recursive": True},
        {"layout": "flat", "recursive": True},
        {"layout": "deep"},
        {"layout": 7},
    ],
    ids=str,
)
def test_what_is_no_layout_is_refused(open_store: Open, folder: Path, given: Any) -> None:
    """Two layouts at once and unknown ones leave nothing behind."""
    with pytest.raises(InvalidInputException, match="refused"):
        open_store(folder.parent / "new", **given)
    assert not (folder.parent / "new").exists()


@pytest.mark.parametrize("there", ["a.nii.gz", "labels/final/a.nii.gz", "datastore_v2.json"])
def test_a_folder_with_files_does_not_become_sharded(
    store: LocalDatastore, open_store: Open, folder: Path, there: str
) -> None:
    """Images, labels or a document that are there already would not be found: refused, and left as they are."""
    store.close()
    other = folder.parent / "other"
    (other / there).parent.mkdir(parents=True)
    shutil.copy(folder / there, other / there)
    with pytest.raises(InvalidInputException, match="add_images"):
        open_store(other, layout="sharded")
    assert open_store(other).list_images() == ([] if there.startswith("labels") else ["a"] if there[0] == "a" else [])


def test_a_stray_note_makes_nothing_sharded(store: LocalDatastore, open_store: Open, folder: Path) -> None:
    """A datastore is what its catalog says, whatever somebody puts beside it."""
    listed = store.json()
    store.close()
    (folder / ".monailabel" / "layout").write_text("sharded\n")
    again = open_store()
    assert again.json() == listed and again.get_image("a").read() == b"image a"
    again.close()
    assert open_store(layout="flat").json() == listed


def test_it_survives_pickling_and_forks(sharded: LocalDatastore) -> None:
    """A training script's workers find the files too."""
    again = pickle.loads(pickle.dumps(sharded))
    try:
        assert again.get_image("a").read() == b"image a"
    finally:
        again.close()
    pid = os.fork()
    if not pid:
        os._exit(0 if sharded.get_label("a", "final").read() == b"second a" else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_own_folder_may_lie_elsewhere(open_store: Open, source: Source, folder: Path) -> None:
    """With `state_dir` the layout is known as well."""
    state = folder.parent / "state"
    with open_store(layout="sharded", state_dir=state) as store:
        store.add_image("a", source("a.nii.gz"), {})
    assert open_store(state_dir=state).problems() == [] and (folder / place("a")).exists()


def test_files_of_others_are_taken_in_where_they_belong(sharded: LocalDatastore, folder: Path) -> None:
    """A file in the folder of its id is taken in, replaced, missed and back as ever; a label may come before its image.

    Its folder may be new or not.
    """
    label = folder / "labels" / "final" / place("new")
    label.parent.mkdir(parents=True)
    label.write_bytes(b"label")
    sharded.refresh()
    assert "no image has the id" in str(sharded.problems()) and f"labels/final/{place('new')}" in str(
        sharded.problems()
    )
    let_age(folder)
    sharded.refresh()
    image = folder / place("new")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"image")
    sharded.refresh()
    assert sharded.get_image("new").read() == b"image" and sharded.get_label("new", "final").read() == b"label"
    assert sharded.problems() == []
    image.rename(folder.parent / "aside")
    sharded.refresh()
    assert "new" not in sharded.list_images() and "new.nii.gz: missing" in str(sharded.problems())
    (folder.parent / "aside").rename(image)
    sharded.refresh()
    assert "new" in sharded.list_images() and found(folder, deep=True) == []


@pytest.mark.parametrize(
    "where", ["{name}", "0/{name}", "0/0/{name}", "more/{name}", "0/0/0/{name}", "{place}x/{name}"]
)
@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_file_elsewhere_is_told_with_where_it_belongs(
    sharded: LocalDatastore, folder: Path, where: str, kind: str
) -> None:
    """It is not taken in, not moved and not lost; in its place it is listed, and the problem is gone."""
    top, image_id = ("labels/final/", "case.7") if kind == "label" else ("", "stray")
    right = place(image_id)
    wrong = where.format(name=f"{image_id}.nii.gz", place=os.path.dirname(right))
    (folder / top / wrong).parent.mkdir(parents=True, exist_ok=True)
    (folder / top / wrong).write_bytes(b"stray")
    before = sharded.json()
    sharded.refresh()
    (problem,) = sharded.problems()
    assert problem.startswith(f"{top}{wrong}: ") and f" {top}{os.path.dirname(right)};" in problem
    assert [(f.kind, f.stands) for f in found(folder)] == [("problem", True)]
    assert sharded.json() == before and (folder / top / wrong).read_bytes() == b"stray"
    if kind == "image":
        (folder / right).parent.mkdir(parents=True, exist_ok=True)
        (folder / wrong).rename(folder / right)
        sharded.refresh()
        assert sharded.problems() == [] and sharded.get_image("stray").read() == b"stray"


def test_what_is_no_image_is_no_problem(sharded: LocalDatastore, folder: Path) -> None:
    """Notes and hidden folders among the files are passed over."""
    (folder / "README.md").write_text("how we scanned")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.nii.gz").write_bytes(b"x")
    sharded.refresh()
    assert sharded.problems() == [] and sharded.list_images() == list(IDS)


def test_nothing_is_read_where_nothing_changed(
    sharded: LocalDatastore, open_store: Open, source: Source, folder: Path, note_stamps: NoteStamps
) -> None:
    """Neither a refresh nor the next opening reads a folder, not even after changes of our own in known folders."""
    sharded.save_label("a", source("l.nrrd"), "original", {})
    note_stamps(sharded)
    store = open_store()
    assert folders_read(folder, store.refresh) == []
    store.add_image("a", source("i.nii.gz", b"newer"), {})
    store.save_label("a", source("l.nrrd", b"third"), "final", {})
    store.remove_label("a", "original")
    assert folders_read(folder, store.refresh) == []
    store.close()
    assert folders_read(folder, lambda: open_store().close()) == []


def test_what_others_bring_beside_our_own_changes_is_found(
    sharded: LocalDatastore, open_store: Open, source: Source, folder: Path, note_stamps: NoteStamps
) -> None:
    """A file that another program drops into a folder that we are changing, or into a new one, is listed."""
    note_stamps(sharded)
    store = open_store()
    store.save_label("a", source("l.nrrd", b"third"), "final", {})
    beside = next(id for id in map(str, range(10_000)) if place(id)[:3] == place("a")[:3])
    dropped = [beside, "elsewhere"]
    for id in dropped:
        (folder / place(id)).parent.mkdir(parents=True, exist_ok=True)
        (folder / place(id)).write_bytes(b"dropped")
    store.close()
    again = open_store()
    assert set(again.list_images()) == {*IDS, *dropped} and again.problems() == []


LOST = ["the catalog", "the catalog and its copy", "the note", "all but the files", "all, and nobody says so"]


@pytest.mark.parametrize("lost", LOST)
def test_it_is_known_when_something_is_lost(sharded: LocalDatastore, open_store: Open, folder: Path, lost: str) -> None:
    """Without its catalog, the note beside it, or both it is sharded still: a document leads to where its files lie."""
    sharded.close()
    own = folder / ".monailabel"
    if lost.startswith("all"):
        shutil.rmtree(own)
    for path in own.glob("catalog.db*" if lost == "the catalog" else "catalog.*"):
        if lost.startswith("the catalog"):
            path.unlink()
    if lost == "the note":
        (own / "layout").unlink()
    again = open_store(layout="sharded") if lost == "all but the files" else open_store()
    assert sorted(again.list_images()) == sorted(IDS) and again.problems() == []
    assert again.get_label("a", "final").read() == b"second a" and again.get_image_info("a")["of"] == "a"
    assert len(again.label_versions("a", "final")) == (2 if lost in ("the catalog", "the note") else 1)
    assert (own / "layout").read_text() == "sharded\n"


def test_a_backup_has_it_all(sharded: LocalDatastore, open_store: Open, folder: Path) -> None:
    """Backup and what is brought up from it are sharded datastores with every version."""
    made = sharded.backup(folder.parent / "backups")
    assert made.lacks == []
    bring_up(str(folder.parent / "backups"), str(folder.parent / "again"))
    for path in (Path(made.path), folder.parent / "again"):
        assert (path / place("case.7")).exists() and found(path, deep=True) == []
        store = open_store(path)
        assert store.get_label("a", "final", version=1).read() == b"first a"
        with pytest.raises(InvalidInputException, match="layout='sharded'"):
            open_store(path, layout="flat")


def test_earlier_moments_and_what_goes_for_good(sharded: LocalDatastore, folder: Path) -> None:
    """`as_of`, restoring and purging work as ever."""
    before, then = sharded.json(), sharded.events()[-1]["seq"]
    sharded.remove_image("a")
    assert not (folder / place("a")).exists()
    assert sharded.json(as_of=then) == before and len(sharded.datalist(as_of=then)) == len(IDS)
    sharded.restore_image("a")
    assert (folder / place("a")).read_bytes() == b"image a"
    sharded.remove_image("a", purge=True)
    left = [p for p in folder.rglob("*") if p.is_file() and b"image a" in p.read_bytes()]
    assert left == [] and "a" not in sharded.list_images()


def test_a_watched_one_sees_others(
    sharded: LocalDatastore, open_store: Open, folder: Path, eventually: Callable[..., None]
) -> None:
    """Files that are dropped into folders that were there or are made for them, or in a wrong one, are seen."""
    sharded.close()
    store = open_store(auto_reload=True)
    for number in range(20):
        path = folder / place(f"n{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"dropped")
        eventually(lambda number=number: f"n{number}" in store.list_images())
    (folder / place("n0")).unlink()
    (folder / os.path.dirname(place("a")) / "astray.nii.gz").write_bytes(b"x")
    eventually(lambda: "n0" not in store.list_images() and "astray" in str(store.problems()))


def test_a_link_in_the_place_of_a_folder_is_not_written_through(
    sharded: LocalDatastore, source: Source, folder: Path
) -> None:
    """One of the 256 folders that is a link gets no file, and none is made behind it."""
    outside = folder.parent / "outside"
    outside.mkdir()
    tops = {place(id)[0] for id in IDS}
    new = next(id for id in map(str, range(1_000)) if place(id)[0] not in tops)
    (folder / place(new)[0]).symlink_to(outside)
    with pytest.raises(InvalidInputException, match="follow_links='writing'"):
        sharded.add_image(new, source("i.nii.gz"), {})
    assert list(outside.iterdir()) == [] and sharded.list_images() == list(IDS)


@pytest.mark.parametrize("step", ["stage", "commit", "publish"])
def test_a_folder_exchanged_for_a_link_in_the_middle(
    sharded: LocalDatastore, source: Source, folder: Path, step: str
) -> None:
    """Where one of two levels becomes a link during a change, nothing is made behind it; put back, all goes on."""
    top = folder / place("a")[0]
    new = next(
        id for id in map(str, range(100_000)) if place(id)[0] == top.name and not (folder / place(id)[:3]).exists()
    )
    outside, aside = folder.parent / "outside", folder.parent / "aside"
    outside.mkdir()
    data = source("i.nii.gz", b"new")
    with exchanged_for_a_link(top, outside, aside, step), suppress(InvalidInputException):
        sharded.add_image(new, data, {})
    with suppress(OSError, InvalidInputException):
        sharded.refresh()
    assert aside.exists() and list(outside.iterdir()) == []
    top.unlink()
    aside.rename(top)
    sharded.refresh()
    assert (folder / place(new)).exists() is (step == "publish") is (new in sharded.list_images())
    assert sharded.get_image("a").read() == b"image a"
