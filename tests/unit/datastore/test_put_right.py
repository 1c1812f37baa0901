"""What MONAI Label gets wrong and this datastore does not: changes, infos, results and their cost."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import datetime
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException, ReadOnlyException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]


def files(folder: Path) -> list[str]:
    """List the visible files of a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def test_a_changes_cost_does_not_grow_with_the_images(open_store: Open, source: Source, tmp_path: Path) -> None:
    """Among 8,000 images a change moves no more bytes and takes no more of its caller's CPU than among 500."""
    few, many = (cost_of_a_change(open_store, source, tmp_path / str(n), n) for n in (500, 8000))
    assert many[0] < 1.5 * few[0] + 16_384, f"bytes read and written by a change: {few[0]}, then {many[0]}"
    assert many[1] < 2 * few[1] + 0.001, f"CPU seconds of a change: {few[1]}, then {many[1]}"


def cost_of_a_change(open_store: Open, source: Source, folder: Path, images: int) -> tuple[float, float]:
    """Give the medians of bytes and CPU seconds that a change costs the thread that calls it."""
    folder.mkdir()
    for n in range(images):
        (folder / f"{n}.nii").touch()
    store, file = open_store(folder), source("x.nii")
    costs = []
    for n in range(40):
        before = moved_bytes(), time.thread_time()
        store.save_label(str(n), file, "final", {})
        store.update_image_info(str(n), {"n": n})
        costs.append((moved_bytes() - before[0], time.thread_time() - before[1]))
    store.close()
    return statistics.median(c[0] for c in costs), statistics.median(c[1] for c in costs)


def moved_bytes() -> int:
    """Give the bytes that this thread has read and written by system calls so far."""
    figures = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(figures["rchar"]) + int(figures["wchar"])


def test_an_info_waits_for_its_missing_file(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """An image that is gone for a while is not listed; when it returns, its info, labels and approvals are there."""
    store.update_label_info("a", "final", {"segmentationMeta": {"status": "approved"}})
    before = store.json()["objects"]["a"]
    (folder / "a.nii.gz").rename(tmp_path / "away")
    store.refresh()
    assert store.list_images() == ["b"] and store.get_image_uri("a") == "" and store.get_image("a") is None
    assert store.status()["total"] == 1
    (tmp_path / "away").rename(folder / "a.nii.gz")
    store.refresh()
    assert sorted(store.list_images()) == ["a", "b"]
    assert store.json()["objects"]["a"] == before


def test_a_label_waits_for_its_missing_file(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """A label that is gone for a while is not listed; when it returns, its info is there."""
    before = store.json()["objects"]["a"]["labels"]
    file = folder / "labels" / "final" / "a.nii.gz"
    file.rename(tmp_path / "away")
    store.refresh()
    assert store.get_labels_by_image_id("a") == {"original": "a"}
    assert store.get_labeled_images() == [] and store.get_label_info("a", "final") == {}
    (tmp_path / "away").rename(file)
    store.refresh()
    assert store.json()["objects"]["a"]["labels"] == before


def test_an_unmounted_share_purges_nothing(folder: Path, open_store: Open, source: Source, tmp_path: Path) -> None:
    """While the folder of the images is not there, refreshing and opening lose no info."""
    store = open_store(images_dir=str(tmp_path / "share"))
    store.add_image("a", source("a.nii.gz", b"i"), {"key": "value"})
    store.save_label("a", source("l.nii.gz", b"l"), "final", {"client_id": "ann"})
    before = store.json()
    (tmp_path / "share").rename(tmp_path / "unmounted")
    (tmp_path / "share").mkdir()  # an empty mount point
    store.refresh()
    store.close()
    open_store(images_dir=str(tmp_path / "share")).close()
    (tmp_path / "share").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "share")
    again = open_store(images_dir=str(tmp_path / "share"))
    again.refresh()
    assert again.json() == before
    assert again.get_label("a", "final").read() == b"l"


def test_adding_an_image_again_keeps_its_labels(store: LocalDatastore, source: Source, folder: Path) -> None:
    """An image that is replaced gets new bytes and a new info; its labels stay with their infos."""
    before = store.json()["objects"]["a"]["labels"]
    store.add_image("a", source("x.nii.gz", b"another image a"), {"second": True})
    assert store.get_image("a").read() == b"another image a"
    assert store.get_image_info("a")["second"] is True and "modality" not in store.get_image_info("a")
    assert store.json()["objects"]["a"]["labels"] == before
    assert store.get_label("a", "final").read() == b"label a"


@pytest.mark.parametrize("what", ["image", "label"])
def test_another_extension_replaces_the_file(store: LocalDatastore, source: Source, folder: Path, what: str) -> None:
    """One file to a label and to an image: the one of the old extension goes, and never comes back by itself."""
    place = folder if what == "image" else folder / "labels" / "final"
    others = {"b.nii.gz", "datastore_v2.json"}
    if what == "image":
        store.add_image("a", source("x.nii", b"new"), {})
    else:
        store.save_label("a", source("x.nii", b"new"), "final", {})
    store.refresh()
    assert set(files(place)) - others == {"a.nii"} and (place / "a.nii").read_bytes() == b"new"
    entry = store.json()["objects"]["a"]
    assert (entry["image"] if what == "image" else entry["labels"]["final"])["ext"] == ".nii"
    store.remove_image("a") if what == "image" else store.remove_label("a", "final")
    store.refresh()
    assert set(files(place)) - others == set()
    assert (store.get_image("a") if what == "image" else store.get_label("a", "final")) is None


def test_a_file_already_in_its_place_is_registered(open_store: Open, folder: Path) -> None:
    """`add_image` and `save_label` of a file that lies where it belongs keep it there, with the given info."""
    store = open_store()
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "labels" / "final" / "a.nii.gz").write_bytes(b"l")
    for turn in ("first", "again"):
        assert store.add_image(None, str(folder / "a.nii.gz"), {"turn": turn}) == "a"
        store.save_label("a", str(folder / "labels" / "final" / "a.nii.gz"), "final", {"turn": turn})
        assert store.get_image("a").read() == b"i" and store.get_label("a", "final").read() == b"l"
        assert store.get_image_info("a")["turn"] == turn == store.get_label_info("a", "final")["turn"]
    assert files(folder / "labels" / "final") == ["a.nii.gz"] and store.list_images() == ["a"]


@pytest.mark.parametrize("what", ["image", "label"])
def test_removing_a_link_leaves_its_target(open_store: Open, folder: Path, tmp_path: Path, what: str) -> None:
    """Removing an image or label that is a link removes the link; the file it points to stays."""
    target = tmp_path / "target.nii.gz"
    target.write_bytes(b"precious")
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "labels" / "final").mkdir(parents=True)
    link = folder / "b.nii.gz" if what == "image" else folder / "labels" / "final" / "a.nii.gz"
    link.symlink_to(target)
    store = open_store()
    uri = store.get_image_uri("b") if what == "image" else store.get_label_uri("a", "final")
    assert uri == str(target)
    store.remove_image("b") if what == "image" else store.remove_label("a", "final")
    assert not link.is_symlink()
    assert target.read_bytes() == b"precious"
    assert store.list_images() == ["a"] and store.get_labels_by_image_id("a") == {}


def test_replacing_a_link_leaves_its_target(open_store: Open, folder: Path, tmp_path: Path, source: Source) -> None:
    """A new version of an image that is a link takes the link's place; the file it points to keeps its bytes."""
    target = tmp_path / "target.nii.gz"
    target.write_bytes(b"precious")
    (folder / "a.nii.gz").symlink_to(target)
    store = open_store()
    store.add_image("a", source("a.nii.gz", b"new"), {})
    assert target.read_bytes() == b"precious"
    assert store.get_image("a").read() == b"new"


def test_datalist_can_be_relative(open_store: Open, folder: Path, source: Source) -> None:
    """`datalist(full_path=False)` gives paths relative to the datastore's folder."""
    store = open_store(images_dir="scans")
    store.add_image("a", source("a.nii.gz"), {})
    store.save_label("a", source("l.nii.gz"), "final", {})
    assert store.datalist(full_path=False) == [{"image": "scans/a.nii.gz", "label": "labels/final/a.nii.gz"}]


def test_labelled_images_by_tag_and_structure(store: LocalDatastore, source: Source) -> None:
    """The lists of labelled and unlabelled images honour `label_tag` (default `final`) and `labels`."""
    told = {"label_info": [{"name": "liver", "idx": 1}, {"name": "spleen", "idx": 2}]}
    store.save_label("b", source("x.nii.gz"), "original", told)
    assert (store.get_labeled_images(), store.get_unlabeled_images()) == (["a"], ["b"])
    assert store.get_labeled_images("original") == ["a", "b"] and store.get_unlabeled_images("original") == []
    assert store.get_labeled_images("original", ["liver"]) == ["b"]
    assert store.get_unlabeled_images("original", ["liver"]) == ["a"]
    assert store.get_labeled_images(labels=["liver"]) == [] and store.get_unlabeled_images(labels=["liver"]) == [
        "a",
        "b",
    ]
    assert store.get_labeled_images("original", ["kidney", "spleen"]) == ["b"]
    assert store.get_labeled_images("version_1") == []


CHANGES: dict[str, Callable[[LocalDatastore, str, Any], object]] = {
    "add_image": lambda s, file, info: s.add_image("new", file, info),
    "replacing by add_image": lambda s, file, info: s.add_image("a", file, info),
    "save_label": lambda s, file, info: s.save_label("a", file, "final", info),
    "update_image_info": lambda s, file, info: s.update_image_info("a", info),
    "update_label_info": lambda s, file, info: s.update_label_info("a", "final", info),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="not a number"),
        pytest.param([1.0, {"deep": -math.inf}], id="infinity"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param({1: "one"}, id="a key that is no text"),
    ],
)
def test_an_info_that_no_reader_takes_is_refused(
    store: LocalDatastore, source: Source, folder: Path, tree: Tree, change: Callable[..., object], value: object
) -> None:
    """An info that JSON readers refuse is refused with the key's name, before anything is changed."""
    before, lying = store.json(), tree(folder, (".monailabel", ".lock"))
    with pytest.raises(InvalidInputException, match="culprit"):
        change(store, source("x.nii.gz", b"other"), {"fine": 1, "culprit": value})
    assert store.json() == before
    assert tree(folder, (".monailabel", ".lock")) == lying
    with LocalDatastore(str(folder), read_only=True) as again:
        assert again.json() == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_dates_and_sets_become_text(
    store: LocalDatastore, source: Source, folder: Path, change: Callable[..., object]
) -> None:
    """Dates and sets are kept as MONAI Label writes them, as `str` gives them."""
    info = {"day": datetime.date(2024, 2, 29), "when": datetime.datetime(2024, 2, 29, 12, 30), "set": {7}}
    change(store, source("x.nii.gz"), {"nested": info})
    written = json.loads((folder / "datastore_v2.json").read_bytes())
    expected = {"day": "2024-02-29", "when": "2024-02-29 12:30:00", "set": "{7}"}
    assert expected in [
        i["info"].get("nested") for o in written["objects"].values() for i in (o["image"], *o["labels"].values())
    ]
    assert written == store.json()


def test_results_are_copies(store: LocalDatastore) -> None:
    """What a call gives is the caller's to change; the datastore keeps its own."""
    store.update_label_info("a", "final", {"meta": {"status": "approved"}})
    before = json.dumps(store.json())
    store.get_label_info("a", "final")["meta"]["status"] = "spoilt"
    store.get_image_info("a").clear()
    store.json()["objects"]["a"]["image"]["info"].clear()
    store.status()["label_tags"].clear()
    store.list_images().clear()
    store.get_labels_by_image_id("a").clear()
    assert json.dumps(store.json()) == before
    assert store.list_images() == ["a", "b"] and store.status()["label_tags"] == {"original": 1, "final": 1}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_callers_info_stays_the_callers(
    store: LocalDatastore, source: Source, change: Callable[..., object]
) -> None:
    """An info given to a change is not changed, and changing it afterwards changes nothing in the datastore."""
    info: dict[str, Any] = {"deep": {"list": [1]}}
    change(store, source("x.nii.gz"), info)
    assert info == {"deep": {"list": [1]}}
    before = store.json()
    info["deep"]["list"].append("spoilt")
    assert store.json() == before


def test_an_archive_without_a_label_is_a_clear_error(open_store: Open, source: Source) -> None:
    """Without a labelled image there is nothing to archive, and the error says so."""
    store = open_store()
    store.add_image("a", source("a.nii.gz"), {})
    with pytest.raises(ConflictException, match="label"):
        store.get_dataset_archive(None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s, f: s.add_image("c", f, {}), id="add_image"),
        pytest.param(lambda s, f: s.save_label("a", f, "final", {}), id="save_label"),
        pytest.param(lambda s, f: s.remove_image("a"), id="remove_image"),
        pytest.param(lambda s, f: s.remove_label("a", "final"), id="remove_label"),
        pytest.param(lambda s, f: s.update_image_info("a", {"k": 1}), id="update_image_info"),
        pytest.param(lambda s, f: s.update_label_info("a", "final", {"k": 1}), id="update_label_info"),
        pytest.param(lambda s, f: s.set_name("other"), id="set_name"),
        pytest.param(lambda s, f: s.set_description("other"), id="set_description"),
    ],
)
def test_a_read_only_datastore_refuses_changes(
    store: LocalDatastore,
    source: Source,
    folder: Path,
    open_store: Open,
    tree: Tree,
    change: Callable[[LocalDatastore, str], object],
) -> None:
    """Every change raises ReadOnlyException, and not a byte is written."""
    store.close()
    file, before = source("x.nii.gz"), tree(folder)
    reader = open_store(read_only=True)
    with pytest.raises(ReadOnlyException):
        change(reader, file)
    reader.close()
    assert tree(folder) == before


def test_a_read_only_datastore_lists_a_fresh_folder(folder: Path, open_store: Open, tree: Tree) -> None:
    """Opened read-only, a folder that never was a datastore lists its images and labels, and stays as it is."""
    (folder / "labels" / "version_1").mkdir(parents=True)
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "labels" / "version_1" / "a.nii.gz").write_bytes(b"l")
    before = tree(folder)
    reader = open_store(read_only=True)
    assert reader.read_only and reader.list_images() == ["a"]
    assert reader.get_label("a", "version_1").read() == b"l"
    assert reader.status() == {"total": 1, "completed": 0, "label_tags": {"version_1": 1}}
    reader.refresh()
    reader.close()
    assert tree(folder) == before
