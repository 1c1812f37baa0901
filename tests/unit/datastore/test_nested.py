"""Images in sub-folders as they come: the rule of their ids, what is passed over, and what nobody gets out of it."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore import watch
from monailabel.datastore.backup import bring_up
from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException, MONAILabelException
from tests.unit.datastore.ageing import let_age
from tests.unit.datastore.folding import DISKS
from tests.unit.datastore.reads import folders_read

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
NoteStamps = Callable[[LocalDatastore], None]
Tree = Callable[..., dict[str, tuple[object, ...]]]

PLACES = {
    "top": "top",
    "ward~1case": "ward/case",
    "ward~1bed 2~1case": "ward/bed 2/case",
    "til~0de": "til~de",
    "~01~1~00": "~1/~0",
    "a.nii.gz~1b": "a.nii.gz/b",
    "ünï~1cödé": "ünï/cödé",
    "1~12~13~14~15": "1/2/3/4/5",
}


def write(path: Path, data: bytes = b"bytes") -> Path:
    """Write a file, and make the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def nested(folder: Path, open_store: Open) -> LocalDatastore:
    """Give a datastore of images in sub-folders."""
    for id, place in PLACES.items():
        write(folder / f"{place}.nii.gz", id.encode())
    return open_store(recursive=True)


def test_ids_tell_places_and_places_tell_ids(
    nested: LocalDatastore, open_store: Open, source: Source, folder: Path
) -> None:
    """What lies in a tree is listed under the ids of the rule; added under these ids, it makes the same tree."""
    assert sorted(nested.list_images()) == sorted(PLACES) and nested.problems() == []
    other = open_store(folder.parent / "other", recursive=True)
    for id, place in PLACES.items():
        assert nested.get_image_uri(id) == str(folder / f"{place}.nii.gz")
        assert nested.get_image(id).read() == id.encode()
        other.add_image(id, source("x.nii.gz", id.encode()), {})
        assert (folder.parent / "other" / f"{place}.nii.gz").read_bytes() == id.encode()
    other.refresh()
    assert sorted(other.list_images()) == sorted(PLACES) and other.problems() == []


def test_labels_lie_side_by_side_under_the_whole_id(nested: LocalDatastore, source: Source, folder: Path) -> None:
    """A label's file has its image's id for a name, one that every client can write, and is found by it."""
    for id in PLACES:
        nested.save_label(id, source("l.nii.gz", f"label {id}".encode()), "final", {})
        assert (folder / "labels" / "final" / f"{id}.nii.gz").read_bytes() == f"label {id}".encode()
    write(folder / "labels" / "team" / "ward~1case.nii", b"dropped")
    nested.refresh()
    assert nested.get_label("ward~1case", "team").read() == b"dropped" and len(nested.datalist()) == len(PLACES)
    assert {"image": "ward/case.nii.gz", "label": "labels/final/ward~1case.nii.gz"} in nested.datalist(False)
    assert nested.get_image_info("ward~1case")["name"] == "ward~1case.nii.gz"


def test_changes_stay_in_the_sub_folder(nested: LocalDatastore, source: Source, folder: Path) -> None:
    """Replaced, removed, restored, and purged, an image is where it was, and its folder's others are untouched."""
    place = write(folder / "ward" / "neighbour.nii.gz").parent / "case.nii.gz"
    nested.refresh()
    nested.add_image("ward~1case", source("x.nii", b"newer"), {})
    assert (folder / "ward" / "case.nii").read_bytes() == b"newer" and not place.exists()
    then = nested.events()[-1]["seq"]
    nested.remove_image("ward~1case")
    assert not (folder / "ward" / "case.nii").exists()
    nested.restore_image("ward~1case", 1)
    assert place.read_bytes() == b"ward~1case" and "ward~1case" in nested.json(as_of=then)["objects"]
    nested.remove_image("ward~1case", purge=True)
    assert sorted(p.name for p in (folder / "ward").iterdir()) == ["bed 2", "neighbour.nii.gz"]
    assert [f for f in check(folder, low_space=0, deep=True) if f.kind != "module"] == []


def test_a_file_without_an_id_keeps_its_name(nested: LocalDatastore, source: Source, folder: Path) -> None:
    """What is added by its name alone lies beside the others under just that name, whatever is in it."""
    assert nested.add_image(None, source("a~1b.nii.gz"), {}) == "a~01b"
    assert nested.add_images([(None, source("c~d.nii.gz"), {})]) == ["c~0d"]
    assert (folder / "a~1b.nii.gz").exists() and (folder / "c~d.nii.gz").exists()


HOSTILE = (
    "~1x", "x~1", "x~1~1y", "..~1x", "x~1..~1y", "x~1..", ".~1x", "x~1.h~1y", "~1etc~1x", "a~b", "a~", "x~1a~2",
    "x\\~1y", "x~1y\\z", "labels~1x", "labels~1final~1x", "LABELS~1x", "own~1x", "x~1con", "con~1x", "x~1lpt1~1y",
    "x ~1y", "x.~1y", "x~1\ny", "top.nii.gz~1x", "x/y", "../x", ".monailabel~1history~1x", "x~1" * 90 + "y",
)  # fmt: skip


@pytest.mark.parametrize("image_id", HOSTILE)
def test_no_id_leads_astray(open_store: Open, source: Source, folder: Path, tree: Tree, image_id: str) -> None:
    """Ids that would lead out, into hidden folders, labels or own files, or that some disk cannot hold: refused."""
    write(folder / "top.nii.gz")
    store = open_store(recursive=True, state_dir=folder / "own")
    new = source("x.nii.gz")

    def names() -> list[str]:
        return [name for name in tree(folder.parent) if not name.startswith("studies/own/")]

    before = names(), store.list_images(), store.events()
    for attempt in (lambda: store.add_image(image_id, new, {}), lambda: store.add_images([(image_id, new, {})])):
        with pytest.raises(MONAILabelException, match=r"refused|no folder"):
            attempt()
    assert (names(), store.list_images(), store.events()) == before
    assert not any(path.stat().st_size for path in (folder / "own" / "staging").iterdir())


def test_what_is_not_the_images(folder: Path, open_store: Open) -> None:
    """Labels, own files (wherever they lie), and what is hidden are no images, nor is what no pattern takes."""
    for name in (
        ".hid/a",
        "ward/.hid/b",
        "ward/.c",
        ".monailabel/d",
        "labels/e",
        "labels/final/f",
        "own/sub/g",
        "Labels/h",
    ):
        write(folder / f"{name}.nii.gz")
    write(folder / "ward" / "notes.txt")
    write(folder / "ward" / "scan.nii.gz")
    store = open_store(recursive=True, state_dir=folder / "own")
    assert store.list_images() == ["ward~1scan"]
    assert [problem.partition(":")[0] for problem in store.problems()] == [
        "Labels/h.nii.gz",
        "labels/final/f.nii.gz",
    ]


def test_patterns_are_of_a_files_own_name(folder: Path, open_store: Open) -> None:
    """`CT_*.nii.gz` takes in what is called so in any sub-folder, and nothing for its folder's name."""
    for name in ("CT_1", "ward/CT_2", "ward/MR_2", "CT_3/scan"):
        write(folder / f"{name}.nii.gz")
    assert open_store(recursive=True, extensions="CT_*.nii.gz").list_images() == ["CT_1", "ward~1CT_2"]


def test_names_that_are_too_long_are_told(nested: LocalDatastore, source: Source, folder: Path) -> None:
    """A path whose id no label's file could have is a problem; one that leaves a label no room is refused there."""
    long, longer = "/".join(["x" * 60] * 3 + ["y" * 62]), "/".join(["x" * 60] * 3 + ["y" * 63])
    write(folder / f"{long}.nii.gz")
    write(folder / f"{longer}.nii.gz")
    nested.refresh()
    (id,) = set(nested.list_images()) - set(PLACES)
    assert id == long.replace("/", "~1")
    (problem,) = nested.problems()
    assert "too long" in problem and longer in problem
    with pytest.raises(InvalidInputException, match="bytes"):
        nested.save_label(id, source("l.seg.nrrd"), "final", {})
    assert nested.save_label(id, source("l.nii.gz"), "final", {}) == id


def test_a_folder_that_moves_takes_its_images_along(nested: LocalDatastore, folder: Path) -> None:
    """Files in a renamed folder are new ones; under the old name again they are what they were, with their info."""
    nested.update_image_info("ward~1case", {"k": 1})
    (folder / "ward").rename(folder / "station")
    nested.refresh()
    assert "station~1bed 2~1case" in nested.list_images() and "ward~1case" not in nested.list_images()
    (folder / "station").rename(folder / "ward")
    nested.refresh()
    assert sorted(nested.list_images()) == sorted(PLACES) and nested.get_image_info("ward~1case")["k"] == 1


def test_a_folder_that_cannot_be_read_loses_nothing(
    nested: LocalDatastore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images stay listed and it is told; all others are taken in, and it is read once it can be."""
    scandir, lstat = os.scandir, os.lstat

    def refusing(path: Any = ".") -> Any:
        if str(path) == str(folder / "ward"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def blind(path: Any, **how: Any) -> Any:
        if str(path).startswith(str(folder / "ward") + "/"):
            raise PermissionError(13, "Permission denied", str(path))
        return lstat(path, **how)

    write(folder / "new" / "scan.nii.gz")
    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "lstat", blind)
    nested.refresh()
    assert sorted(nested.list_images()) == sorted([*PLACES, "new~1scan"])
    assert nested.problems() == ["ward: the folder cannot be read (permission denied)"]
    let_age(folder)
    nested.refresh()
    assert folders_read(folder, nested.refresh) == []
    monkeypatch.undo()
    (folder / "ward" / "case.nii.gz").unlink()
    nested.refresh()
    assert "ward~1case" not in nested.list_images() and "ward~1bed 2~1case" in nested.list_images()


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the datastore's, with an image and a link to another one."""
    write(tmp_path / "outside" / "sub" / "scan.nii.gz", b"outside")
    write(tmp_path / "further" / "scan.nii.gz", b"further")
    (tmp_path / "outside" / "on").symlink_to(tmp_path / "further")
    return tmp_path / "outside"


@pytest.mark.parametrize("follow", ["never", "reading", "writing"])
def test_a_linked_folder_is_read_as_links_are_followed(
    folder: Path, outside: Path, open_store: Open, source: Source, tree: Tree, follow: str
) -> None:
    """Images behind a link are listed unless no link is followed; nothing is written there but with "writing"."""
    (folder / "far").symlink_to(outside)
    before = tree(outside)
    store = open_store(recursive=True, follow_links=follow)
    assert store.list_images() == ([] if follow == "never" else ["far~1sub~1scan"])
    assert [problem.partition(":")[0] for problem in store.problems()] == (["far"] if follow == "never" else ["far/on"])
    if follow == "writing":
        store.add_image("far~1new~1scan", source("x.nii.gz", b"new"), {})
        assert (outside / "new" / "scan.nii.gz").read_bytes() == b"new"
        return
    attempts: list[Callable[[], object]] = [lambda: store.add_image("far~1new~1scan", source("x.nii.gz"), {})]
    if follow == "reading":
        attempts += [lambda: store.remove_image("far~1sub~1scan")]
    for attempt in attempts:
        with pytest.raises(InvalidInputException, match="follow_links='writing'"):
            attempt()
    assert tree(outside) == before


@pytest.mark.timeout(30)
@pytest.mark.parametrize("follow", ["reading", "writing"])
@pytest.mark.parametrize("target", [".", "..", "/", "ward", "labels", "labels/final", "own", ".monailabel", "loop"])
def test_a_link_to_the_datastore_itself_lists_nothing_twice(
    folder: Path, open_store: Open, source: Source, target: str, follow: str
) -> None:
    """A link in a circle, to labels, own files or a folder around them is told, and leads no image there."""
    write(folder / "ward" / "scan.nii.gz")
    write(folder / "labels" / "final" / "ward~1scan.nii.gz", b"label")
    (folder / "own").mkdir()
    (folder / "loop").symlink_to(target)
    store = open_store(recursive=True, follow_links=follow, state_dir=folder / "own")
    store.refresh()
    assert store.list_images() == ["ward~1scan"]
    told = "loop: it is a link to a folder of the datastore" in str(store.problems())
    assert told is (target not in ("loop", ".monailabel"))
    if target.startswith(("labels", "own")):
        with pytest.raises(InvalidInputException, match="refused"):
            store.add_image("loop~1ward~01scan", source("x.nii.gz", b"over a label"), {})
        assert store.get_label("ward~1scan", "final").read() == b"label"


# -- switching ---------------------------------------------------------------------------------------------------------


def test_it_is_switched_on_and_off(store: LocalDatastore, open_store: Open, folder: Path) -> None:
    """A known datastore takes in its sub-folders from then on, for all who have it open; without any it goes back."""
    write(folder / "ward" / "scan.nii.gz", b"scan")
    store.refresh()
    assert store.list_images() == ["a", "b"]
    with open_store(recursive=True) as switched:
        assert switched.list_images() == ["a", "b", "ward~1scan"]
    store.refresh()
    assert store.get_image("ward~1scan").read() == b"scan" and store.problems() == []
    assert open_store().list_images() == open_store(read_only=True).list_images() == ["a", "b", "ward~1scan"]
    with pytest.raises(InvalidInputException, match="'ward~1scan' has a ~"):
        open_store(recursive=False)
    store.remove_image("ward~1scan", purge=True)
    with open_store(recursive=False) as back:
        write(folder / "ward" / "scan.nii.gz", b"scan")
        back.refresh()
        store.refresh()
        assert back.list_images() == store.list_images() == open_store().list_images() == ["a", "b"]


def test_ids_that_would_lead_elsewhere_refuse_it(
    store: LocalDatastore, open_store: Open, source: Source, folder: Path
) -> None:
    """Where an id has a tilde already, or one in a document, nothing is switched on, and nothing changes."""
    store.add_image("a~1b", source("x.nii.gz"), {})
    with pytest.raises(InvalidInputException, match=r"'a~1b' has a ~.*purge"):
        open_store(recursive=True)
    store.remove_image("a~1b")
    with pytest.raises(InvalidInputException, match="'a~1b' has a ~"):
        open_store(recursive=True)
    store.restore_image("a~1b")
    store.close()
    shutil.rmtree(folder / ".monailabel")
    with pytest.raises(InvalidInputException, match="'a~1b' has a ~"):
        open_store(recursive=True)
    assert open_store().list_images() == ["a", "b", "a~1b"]


def test_looking_switches_nothing(store: LocalDatastore, open_store: Open) -> None:
    """A read-only datastore is as it is; who says otherwise is told."""
    with pytest.raises(InvalidInputException, match="read_only"):
        open_store(read_only=True, recursive=True)


def test_a_folder_that_is_only_looked_at_can_be_recursive(folder: Path, open_store: Open, tree: Tree) -> None:
    """A tree that is no datastore yet is listed read-only, and not a byte is written."""
    write(folder / "ward" / "scan.nii.gz")
    before = tree(folder)
    assert open_store(recursive=True, read_only=True).list_images() == ["ward~1scan"]
    assert tree(folder) == before


def test_images_among_labels_are_refused(folder: Path, open_store: Open) -> None:
    """Where the labels' folder holds the images', sub-folders could be either: refused."""
    with pytest.raises(InvalidInputException, match="labels_dir"):
        open_store(recursive=True, labels_dir=".")
    among = {"images_dir": "labels/images", "labels_dir": "labels"}
    open_store(folder.parent / "among", **among).close()
    with pytest.raises(InvalidInputException, match="labels_dir"):
        open_store(folder.parent / "among", recursive=True, **among)
    assert open_store(folder.parent / "among", **among).list_images() == []


def test_who_opened_it_before_the_switch_finds_its_files(
    store: LocalDatastore, open_store: Open, source: Source, folder: Path
) -> None:
    """A process that knew a flat datastore reads, replaces and removes what another put into sub-folders."""
    with open_store(recursive=True) as other:
        other.add_image("ward~1c", source("c.nii.gz", b"in a ward"), {})
        other.add_image("ward~1d", source("d.nii.gz", b"another"), {})
    assert store.get_image_uri("ward~1c") == str(folder / "ward" / "c.nii.gz")
    assert store.get_image("ward~1c").read() == b"in a ward"
    store.remove_image("ward~1c")
    store.add_image("ward~1d", source("d.nii.gz", b"anew"), {})
    store.close()
    assert not (folder / "ward" / "c.nii.gz").exists() and (folder / "ward" / "d.nii.gz").read_bytes() == b"anew"
    again = open_store()
    assert again.list_images() == ["a", "b", "ward~1d"] and again.problems() == []


def test_a_copy_without_hidden_files_is_nested_still(nested: LocalDatastore, source: Source, open_store: Open) -> None:
    """A document leads to where its files lie, and no info is lost."""
    nested.add_image("ward~1c", source("c.nii.gz", b"in a ward"), {"age": 57})
    nested.close()
    shutil.rmtree(Path(nested.path) / ".monailabel")
    again = open_store()
    assert "ward~1c" in again.list_images() and again.get_image_info("ward~1c")["age"] == 57
    again.close()
    assert open_store(recursive=True).get_image_info("ward~1c")["age"] == 57


# -- the rest of the datastore -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ["x~y", "x~1..~1..~1secret", "x~1.hid~1y", "labels~1final~1top"])
def test_a_document_that_names_what_is_no_id_reaches_no_file(
    nested: LocalDatastore, open_store: Open, folder: Path, odd: str
) -> None:
    """An entry of another program whose id breaks the rule, or leads astray, is kept in the document alone."""
    for place in (folder.parent / "secret", folder / "x" / ".hid" / "y", folder / "labels" / "final" / "top"):
        write(place.with_suffix(".nii.gz"))
    nested.close()
    path = folder / "datastore_v2.json"
    document = json.loads(path.read_text())
    document["objects"][odd] = {"image": {"ext": ".nii.gz", "info": {"k": 1}}, "labels": {}}
    path.write_text(json.dumps(document))
    store = open_store()
    assert sorted(store.list_images()) == sorted(PLACES)
    store.set_description("written anew")
    store.close()
    assert json.loads(path.read_text())["objects"][odd]["image"]["info"]["k"] == 1


def test_an_archive_holds_files_of_one_name(nested: LocalDatastore, source: Source) -> None:
    """Two cases of one name in two folders are two files in the archive, each with its label."""
    for id in ("ward~1case", "ward~1bed 2~1case"):
        nested.save_label(id, source("l.nii.gz", f"label {id}".encode()), "final", {})
    with zipfile.ZipFile(io.BytesIO(b"".join(nested.archive()))) as archive:
        for id in ("ward~1case", "ward~1bed 2~1case"):
            assert archive.read(f"image/{id}.nii.gz") == id.encode()
            assert archive.read(f"label/{id}.nii.gz") == f"label {id}".encode()
        assert set(json.loads(archive.read("metadata.json"))["objects"]) == {"ward~1case", "ward~1bed 2~1case"}


def test_nothing_is_read_where_nothing_changed(
    nested: LocalDatastore, open_store: Open, source: Source, folder: Path, note_stamps: NoteStamps
) -> None:
    """Neither a refresh nor an opening reads a folder, also after changes of our own in known folders."""
    note_stamps(nested)
    store = open_store()
    assert folders_read(folder, store.refresh) == []
    store.add_image("ward~1case", source("x.nii.gz", b"newer"), {})
    store.remove_image("1~12~13~14~15")
    assert folders_read(folder, store.refresh) == []
    store.close()
    assert folders_read(folder, lambda: open_store().close()) == []


@pytest.mark.parametrize("where", ["ward/bed 2", "ward/bed 2/new", "ward/bed 2/new/er", "ward/bed 3", "1/2", "."])
def test_what_others_bring_beside_our_own_changes_is_found(
    nested: LocalDatastore, open_store: Open, source: Source, folder: Path, note_stamps: NoteStamps, where: str
) -> None:
    """What is dropped into the folder that we are changing, into a new one in it, or elsewhere is listed."""
    note_stamps(nested)
    store = open_store()
    store.add_image("ward~1bed 2~1case", source("x.nii.gz", b"newer"), {})
    dropped = write(folder / where / "dropped.nii.gz")
    store.close()
    id = str(dropped.relative_to(folder)).removesuffix(".nii.gz").replace("/", "~1")
    assert id in open_store().list_images()


def test_a_new_folder_is_known_from_its_first_moment(folder: Path, open_store: Open) -> None:
    """What comes into a folder right after the scan that found it is not missed, though its time stamp is too young."""
    store = open_store(images_dir="images", recursive=True)
    fresh = folder / "images" / "fresh"
    fresh.mkdir()
    let_age(folder)
    for name in ("one", "two"):
        write(fresh / f"{name}.nii.gz")
        store.refresh()
        assert f"fresh~1{name}" in store.list_images()


def test_pickles_backups_and_lost_catalogs(nested: LocalDatastore, open_store: Open, folder: Path) -> None:
    """Each of them knows where the images lie."""
    with pickle.loads(pickle.dumps(nested)) as again:
        assert again.get_image("ward~1case").read() == b"ward~1case"
    made = nested.backup(folder.parent / "backups")
    nested.close()
    bring_up(made.path, str(folder.parent / "again"))
    for path in (folder / ".monailabel").glob("catalog.*"):
        path.unlink()
    for place in (folder, Path(made.path), folder.parent / "again"):
        store = open_store(place)
        assert sorted(store.list_images()) == sorted(PLACES) and store.problems() == []
        assert store.get_image_uri("ward~1case") == str(place / "ward" / "case.nii.gz")


def test_a_watched_one_sees_new_folders(
    nested: LocalDatastore, open_store: Open, folder: Path, eventually: Callable[..., None]
) -> None:
    """Files in new folders, and in those that were made in them since, are listed by themselves; so are removals."""
    nested.close()
    store = open_store(auto_reload=True)
    for place in ("ward/new", "n1/n2/n3", "n1/n2/n3/n4", "n1/n5"):
        write(folder / place / "one.nii.gz")
        one, two = (place.replace("/", "~1") + end for end in ("~1one", "~1two"))
        eventually(lambda wanted=one: wanted in store.list_images())
        write(folder / place / "two.nii.gz")
        eventually(lambda wanted=two: wanted in store.list_images())
    shutil.rmtree(folder / "n1")
    eventually(lambda: not any(id.startswith("n1~1") for id in store.list_images()))


def test_more_folders_than_the_system_watches(
    nested: LocalDatastore,
    open_store: Open,
    folder: Path,
    eventually: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where not all can be watched, sub-folders are looked at now and then."""
    real = watch.RustNotify

    def few(folders: list[str], *how: Any) -> Any:
        if len(folders) > 6:
            raise OSError("OS file watch limit reached")
        return real(folders, *how)

    monkeypatch.setattr(watch, "RustNotify", few)
    monkeypatch.setattr(watch, "_NOW_AND_THEN", 0.1)
    nested.close()
    store = open_store(auto_reload=True)
    write(folder / "ward" / "dropped.nii.gz")
    eventually(lambda: "ward~1dropped" in store.list_images())
    write(folder / "top2.nii.gz")
    eventually(lambda: "top2" in store.list_images())


def test_scans_below_an_empty_flat_datastore_are_told(folder: Path) -> None:
    """Who forgot `recursive=True` is told of it while no image is listed; labels and hidden files do not count."""
    folder.mkdir(exist_ok=True)
    for place in ("labels/final/a.nii.gz", ".hidden/a.nii.gz", "ward/notes.txt"):
        write(folder / place)
    with LocalDatastore(str(folder)) as store:
        assert not any("recursive" in problem for problem in store.problems())
        write(folder / "ward" / "bed" / "a.nii.gz")
        assert [p for p in store.problems() if p.startswith("ward/bed/a.nii.gz: ") and "recursive=True" in p]
    with LocalDatastore(str(folder), recursive=True) as store:
        assert store.list_images() == ["ward~1bed~1a"] and not any("recursive" in p for p in store.problems())


def test_two_spellings_of_a_folder_are_not_two_places(tmp_path: Path, source: Source) -> None:
    """On a disk that takes `Ward` for `ward` an id with the other spelling is refused, and nothing is kept of it."""
    with DISKS["simulated"](tmp_path / "disk") as path, LocalDatastore(str(path / "studies"), recursive=True) as store:
        store.add_image("ward~1bed~1a", source("x.nii.gz", b"first"), {})
        for other in ("Ward~1bed~1b", "ward~1BED~1b"):
            with pytest.raises(ConflictException, match="this disk has"):
                store.add_image(other, source("x.nii.gz", b"second"), {})
        store.add_image("ward~1bed~1b", source("x.nii.gz", b"third"), {})
        assert store.list_images() == ["ward~1bed~1a", "ward~1bed~1b"]
