"""Links in a datastore's folder: what is read behind them, that nothing is written there, and who may say otherwise."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.files import entering
from monailabel.interfaces.exception import ImageNotFoundException, InvalidInputException
from tests.unit.datastore.exchanging import exchanged_for_a_link

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the datastore's, with files under the names that a datastore's would have."""
    path = tmp_path / "outside"
    for name in ("a.nii.gz", "b.nii.gz", "final/a.nii.gz", "staging/x", "history/x"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"private " + name.encode())
    return path


@pytest.fixture(params=["pinned", "looked for"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to keep a folder from being exchanged: pinned by a descriptor, and, not on Linux, looked for."""
    if request.param == "looked for":
        monkeypatch.setattr(entering, "_CAN_PIN", False)
    return str(request.param)


def linked(folder: Path, what: str, outside: Path) -> None:
    """Put a link that leads outside into a folder that has a datastore, or is to have one."""
    place = {"labels": folder / "labels", "a tag": folder / "labels" / "final"}[what]
    if place.exists():
        place.rename(folder.parent / "aside")
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside if what == "labels" else outside / "final")


@pytest.mark.parametrize("follow", ["never", "reading", "writing"])
def test_a_linked_file_is_read_unless_no_link_is_followed(
    folder: Path, outside: Path, open_store: Open, tree: Tree, source: Source, follow: str
) -> None:
    """An image or label that is a link is listed and read; with "never" it is a problem that is told, and no more.

    Replaced or removed is the link alone, however links are followed.
    """
    (folder / "labels" / "final").mkdir(parents=True)
    (folder / "c.nii.gz").write_bytes(b"image c")
    (folder / "a.nii.gz").symlink_to(outside / "a.nii.gz")
    (folder / "labels" / "final" / "c.nii.gz").symlink_to(outside / "b.nii.gz")
    before = tree(outside)
    store = open_store(follow_links=follow)
    if follow == "never":
        assert store.list_images() == ["c"] and store.get_labels_by_image_id("c") == {}
        assert {p.partition(":")[0] for p in store.problems()} == {"a.nii.gz", "labels/final/c.nii.gz"}
        assert all("follow_links" in problem for problem in store.problems())
    else:
        image, label = store.get_image("a"), store.get_label("c", "final")
        assert image is not None and image.read() == b"private a.nii.gz"
        assert label is not None and label.read() == b"private b.nii.gz"
        with store.open_image("a") as opened:
            assert os.pread(opened.fd, 99, 0) == b"private a.nii.gz"
        store.remove_image("a")
        assert not os.path.lexists(folder / "a.nii.gz")
    store.save_label("c", source("l.nii.gz", b"new"), "final", {})
    assert not (folder / "labels/final/c.nii.gz").is_symlink()
    assert tree(outside) == before


@pytest.mark.parametrize("follow", ["never", "reading"])
@pytest.mark.parametrize("what", ["labels", "a tag"])
def test_a_linked_folder_is_never_written_through(
    folder: Path, outside: Path, open_store: Open, tree: Tree, source: Source, way: str, what: str, follow: str
) -> None:
    """What lies behind a link `labels` or `labels/<tag>` is read, and with "never" not even that.

    Opening makes nothing there; saving and removing are refused with what to do, before anything is changed.
    """
    (folder / "a.nii.gz").write_bytes(b"image a")
    (folder / "b.nii.gz").write_bytes(b"image b")
    linked(folder, what, outside)
    before = tree(outside)
    store = open_store(follow_links=follow)
    label = store.get_label("a", "final")
    assert (label.read() if label else None) == (b"private final/a.nii.gz" if follow == "reading" else None)
    listed, events = store.json(), store.events()
    changes: list[Callable[[], object]] = [
        lambda: store.save_label("a", source("l.nii.gz"), "final", {}),
        lambda: store.save_label("b", source("l.nii.gz"), "final", {}),
    ]
    if follow == "reading":
        changes += [lambda: store.remove_label("a", "final"), lambda: store.remove_image("a")]
    for attempt in changes:
        with pytest.raises(InvalidInputException, match="follow_links='writing'"):
            attempt()
    assert store.json() == listed and store.events() == events and tree(outside) == before
    store.add_image("b", source("b.nii.gz", b"another b"), {})
    store.close()
    assert tree(outside) == before and (folder / "b.nii.gz").read_bytes() == b"another b"


@pytest.mark.parametrize("what", ["labels", "a tag"])
def test_with_writing_a_linked_folder_is_like_any(
    folder: Path, outside: Path, open_store: Open, source: Source, way: str, what: str
) -> None:
    """`follow_links="writing"` saves and removes behind the link, as who keeps labels on another disk wants it."""
    (folder / "a.nii.gz").write_bytes(b"image a")
    linked(folder, what, outside)
    store = open_store(follow_links="writing")
    store.save_label("a", source("l.nii.gz", b"new"), "final", {})
    assert (outside / "final" / "a.nii.gz").read_bytes() == b"new"
    store.remove_label("a", "final")
    assert not (outside / "final" / "a.nii.gz").exists()
    store.restore_label("a", "final", 1)
    assert (outside / "final" / "a.nii.gz").read_bytes() == b"private final/a.nii.gz"


def test_a_folder_that_the_constructor_names_may_be_a_link(
    folder: Path, outside: Path, open_store: Open, source: Source
) -> None:
    """`labels_dir` that says where the link leads is the owner's word: labels are saved there, now and later."""
    (folder / "a.nii.gz").write_bytes(b"image a")
    linked(folder, "labels", outside)
    open_store().close()
    for data in (b"one", b"two"):
        store = open_store(labels_dir=str(outside))
        store.save_label("a", source("l.nii.gz", data), "final", {})
        assert (outside / "final" / "a.nii.gz").read_bytes() == data
        store.close()


def test_links_inside_the_folder_lead_nowhere_else(folder: Path, open_store: Open) -> None:
    """A link from one of the folder's files to another is read even where none out of it is followed."""
    (folder / "raw").mkdir()
    (folder / "raw" / "scan.bin").write_bytes(b"voxels")
    (folder / "a.nii.gz").symlink_to("raw/scan.bin")
    image = open_store(follow_links="never").get_image("a")
    assert image is not None and image.read() == b"voxels"


def test_a_known_file_that_becomes_a_link_is_gone(
    folder: Path, outside: Path, open_store: Open, source: Source
) -> None:
    """Where no link is followed, an image that is exchanged for one is not read, not even before anyone looks again."""
    store = open_store(follow_links="never")
    store.add_image("a", source("a.nii.gz", b"image a"), {"k": 1})
    (folder / "a.nii.gz").unlink()
    (folder / "a.nii.gz").symlink_to(outside / "a.nii.gz")
    assert store.get_image_uri("a") == "" and store.get_image("a") is None
    with pytest.raises(ImageNotFoundException):
        store.open_image("a")
    store.refresh()
    assert store.list_images() == []
    (folder / "a.nii.gz").unlink()
    (folder / "a.nii.gz").write_bytes(b"image a, back")
    store.refresh()
    assert store.get_image_info("a")["k"] == 1


WAYS_OUT = {
    "the tag's folder": "labels/final",
    "the labels' folder": "labels",
    "the staging": ".monailabel/staging",
    "the history": ".monailabel/history",
    "the own folder": ".monailabel",
}


@pytest.mark.parametrize("step", ["stage", "commit", "publish"])
@pytest.mark.parametrize("exchanged", WAYS_OUT.values(), ids=WAYS_OUT)
@pytest.mark.parametrize("kind", ["save", "remove"])
def test_a_folder_exchanged_for_a_link_in_the_middle(
    folder: Path,
    outside: Path,
    store: LocalDatastore,
    source: Source,
    tree: Tree,
    way: str,
    exchanged: str,
    step: str,
    kind: str,
) -> None:
    """Between any two steps of a change: nothing is made, taken or changed behind the link; put back, all goes on."""
    place, aside = folder / exchanged, folder.parent / "aside"
    before = tree(outside)
    new = source("l.nii.gz", b"new")
    refusal = None
    with exchanged_for_a_link(place, outside, aside, step):
        try:
            store.save_label("a", new, "final", {}) if kind == "save" else store.remove_label("a", "final")
        except (OSError, InvalidInputException) as error:
            refusal = str(error)
    assert "/proc/self" not in (refusal or "")
    if not aside.exists():
        assert kind == "remove" and step == "stage"  # a removal stages nothing
        return
    for attempt in (store.refresh, lambda: store.set_description("later"), lambda: store.get_label("a", "final")):
        try:
            attempt()
        except (OSError, InvalidInputException):
            continue
    assert tree(outside) == before
    place.unlink()
    aside.rename(place)
    store.refresh()
    kept = store.get_label("a", "final")
    assert (kept.read() if kept else None) in (b"label a", b"new" if kind == "save" else None)
    assert tree(outside) == before


WHAT: dict[str, Callable[[Path], Any]] = {
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a link through a file": lambda place: place.symlink_to("b.nii.gz/x"),
    "a link whose name is too long": lambda place: place.symlink_to("x" * 300),
    "a pipe": lambda place: os.mkfifo(place),
    "a folder": lambda place: place.mkdir(),
    "a link to a pipe": lambda place: (os.mkfifo(f"{place}.pipe"), place.symlink_to(f"{place}.pipe")),
    "a link to a device": lambda place: place.symlink_to("/dev/zero"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", WHAT.values(), ids=WHAT)
def test_what_is_no_file_disturbs_nothing(
    folder: Path, open_store: Open, source: Source, make: Callable[[Path], Any]
) -> None:
    """In a folder, or in the place of an image: it is not listed or waited for, and hides none of the others."""
    store = open_store()
    for name in ("a", "b", "c"):
        store.add_image(name, source(f"{name}.nii.gz", name.encode()), {})
    store.save_label("b", source("l.nii.gz"), "final", {})
    for name in ("a.nii.gz", "n.nii.gz"):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        make(folder / "labels" / "final" / name)
    for later in (store, open_store()):
        with pytest.raises(ImageNotFoundException):
            later.open_image("a")
        later.refresh()
        assert later.list_images() == ["b", "c"] and list(later.get_labels_by_image_id("b")) == ["final"]
    store.update_image_info("b", {"still": "here"})
    store.remove_image("b")
    assert store.list_images() == ["c"]
