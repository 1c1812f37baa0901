"""What stays to the letter as MONAI Label has it: folder, document and results of LocalDatastore."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import fcntl
import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


def document(folder: Path) -> dict[str, Any]:
    """Read the document that other programs read."""
    content: dict[str, Any] = json.loads((folder / "datastore_v2.json").read_bytes())
    return content


def test_images_lie_flat_and_labels_under_their_tag(store: LocalDatastore, folder: Path) -> None:
    """An image lies in the folder itself, a label in labels/<tag>/, both under the image's id."""
    assert (folder / "a.nii.gz").read_bytes() == b"image a"
    assert (folder / "labels" / "original" / "a.nii.gz").read_bytes() == b"proposal a"
    assert (folder / "labels" / "final" / "a.nii.gz").read_bytes() == b"label a"


def test_a_new_folder_gets_the_two_tag_folders(open_store: Open, tmp_path: Path) -> None:
    """Opening makes the folder with labels/final and labels/original, into which programs put their files."""
    open_store(tmp_path / "new")
    assert (tmp_path / "new" / "labels" / "final").is_dir()
    assert (tmp_path / "new" / "labels" / "original").is_dir()


def test_what_lies_in_the_folder_is_found_at_opening(open_store: Open, folder: Path) -> None:
    """Opening a plain folder lists its images and labels with `ts` and `name`."""
    (folder / "labels" / "final").mkdir(parents=True)
    (folder / "scan 1.nii.gz").write_bytes(b"i")
    (folder / "labels" / "final" / "scan 1.nii").write_bytes(b"l")
    store = open_store()
    assert store.list_images() == ["scan 1"]
    assert store.get_image_info("scan 1")["name"] == "scan 1.nii.gz"
    assert isinstance(store.get_image_info("scan 1")["ts"], int)
    assert store.get_label_info("scan 1", "final")["name"] == "scan 1.nii"


def test_the_document_has_this_form(store: LocalDatastore, folder: Path) -> None:
    """The document has MONAI Label's keys and no others, and is current when a call returns."""
    content = document(folder)
    assert list(content) == ["name", "description", "images_dir", "labels_dir", "objects"]
    assert (content["name"], content["description"]) == ("new-dataset", "New Dataset")
    assert (content["images_dir"], content["labels_dir"]) == (".", "labels")
    a = content["objects"]["a"]
    assert a["image"]["ext"] == ".nii.gz"
    assert a["image"]["info"] == {"modality": "CT", "ts": a["image"]["info"]["ts"], "name": "a.nii.gz"}
    assert a["labels"]["final"]["ext"] == ".nii.gz"
    assert a["labels"]["final"]["info"]["client_id"] == "ann"
    assert set(a) == {"image", "labels"} and set(a["image"]) == {"ext", "info"}


def test_the_document_is_indented_by_two(store: LocalDatastore, folder: Path) -> None:
    """The document is written as `json.dumps(…, indent=2)` writes it."""
    assert (folder / "datastore_v2.json").read_text().strip() == json.dumps(json.loads(store.json_bytes()), indent=2)


def test_tags_stand_in_the_order_of_their_creation(store: LocalDatastore, source: Source, folder: Path) -> None:
    """A client takes the last tag for the newest: replacing an older label does not move it, reopening neither."""
    for tag in ("version_2", "version_1", "original"):
        store.save_label("a", source("x.nii.gz", b"again"), tag, {})
    expected = ["original", "final", "version_2", "version_1"]
    assert list(store.json()["objects"]["a"]["labels"]) == expected
    assert list(document(folder)["objects"]["a"]["labels"]) == expected
    assert list(store.get_labels_by_image_id("a")) == expected
    store.close()
    with LocalDatastore(str(folder)) as again:
        assert list(again.json()["objects"]["a"]["labels"]) == expected


def test_the_document_is_plain_ascii(store: LocalDatastore, source: Source, folder: Path) -> None:
    """Letters beyond ASCII are escaped, since MONAI Label reads the document in the locale's encoding."""
    store.add_image("Schädel 頭", source("x.nii.gz"), {"größe": "😀"})
    text = (folder / "datastore_v2.json").read_bytes()
    assert text.isascii()
    assert json.loads(text)["objects"]["Schädel 頭"]["image"]["info"]["größe"] == "😀"


def test_the_document_waits_for_monai_labels_lock(store: LocalDatastore, folder: Path) -> None:
    """While another program holds the flock on .lock the document stays as it is; then it is brought up."""
    before = (folder / "datastore_v2.json").read_bytes()
    with open(folder / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        change = threading.Thread(target=store.set_description, args=("told under the lock",))
        change.start()
        change.join(0.3)
        assert (folder / "datastore_v2.json").read_bytes() == before
        fcntl.flock(lock, fcntl.LOCK_UN)
    change.join(30)
    store.close()
    assert document(folder)["description"] == "told under the lock"


def test_a_reader_never_meets_half_a_document(store: LocalDatastore, folder: Path) -> None:
    """The document is replaced as a whole: whoever had it open goes on reading the older one."""
    with open(folder / "datastore_v2.json", "rb") as older:
        store.set_description("newer")
        assert json.loads(older.read())["description"] == "New Dataset"
    assert document(folder)["description"] == "newer"


def test_the_document_wins_over_the_constructor(open_store: Open, folder: Path) -> None:
    """Name, description, images_dir and labels_dir of an existing document hold, whatever the constructor says."""
    (folder / "scans").mkdir()
    (folder / "scans" / "a.nii.gz").write_bytes(b"i")
    (folder / "masks" / "final").mkdir(parents=True)
    (folder / "masks" / "final" / "a.nii.gz").write_bytes(b"l")
    told = {"name": "liver", "description": "Livers", "images_dir": "scans", "labels_dir": "masks", "objects": {}}
    (folder / "datastore_v2.json").write_text(json.dumps(told))
    store = open_store(images_dir="elsewhere", labels_dir="other")
    assert (store.name(), store.description()) == ("liver", "Livers")
    assert store.datalist() == [
        {"image": f"{folder}/scans/a.nii.gz", "label": f"{folder}/masks/final/a.nii.gz"},
    ]
    assert (store.json()["images_dir"], store.json()["labels_dir"]) == ("scans", "masks")
    assert not (folder / "elsewhere").exists() and not (folder / "other").exists()


def test_infos_of_an_existing_document_are_taken_in(open_store: Open, folder: Path) -> None:
    """What MONAI Label wrote of images and labels opens with nothing lost, and `json()` gives it back."""
    (folder / "labels" / "version_1").mkdir(parents=True)
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "labels" / "version_1" / "a.nrrd").write_bytes(b"l")
    told = {
        "name": "new-dataset",
        "description": "New Dataset",
        "images_dir": ".",
        "labels_dir": "labels",
        "objects": {
            "a": {
                "image": {"ext": ".nii.gz", "info": {"ts": 1700000000, "name": "a.nii.gz", "dice": 0.5}},
                "labels": {"version_1": {"ext": ".nrrd", "info": {"segmentationMeta": {"status": "approved"}}}},
            }
        },
    }
    (folder / "datastore_v2.json").write_text(json.dumps(told, indent=2))
    assert open_store().json() == told


def test_another_name_for_the_document(open_store: Open, folder: Path, source: Source) -> None:
    """`datastore_config` names the document."""
    open_store(datastore_config="mine.json").add_image("a", source("a.nii"), {})
    assert "a" in json.loads((folder / "mine.json").read_bytes())["objects"]
    assert not (folder / "datastore_v2.json").exists()


def test_json_gives_the_document_as_a_dict(store: LocalDatastore, folder: Path) -> None:
    """`json()` equals what stands in the file, `base_path` not included; `json_bytes()` is the same in ASCII."""
    assert store.json() == document(folder)
    assert "base_path" not in store.json()
    assert store.json_bytes().isascii() and json.loads(store.json_bytes()) == store.json()


def test_status_counts_images_final_labels_and_tags(store: LocalDatastore) -> None:
    """`status()` counts the images, those with a `final` label as completed, and the labels of each tag."""
    assert store.status() == {"total": 2, "completed": 1, "label_tags": {"final": 1, "original": 1}}


def test_image_info_is_what_is_stored_and_the_path(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """`get_image_info` adds `path`, a real path also where the folder was opened through a link."""
    stored = store.json()["objects"]["a"]["image"]["info"]
    assert store.get_image_info("a") == {**stored, "path": f"{folder.resolve()}/a.nii.gz"}
    (tmp_path / "link").symlink_to(folder)
    with LocalDatastore(str(tmp_path / "link")) as through_link:
        assert through_link.get_image_info("a")["path"] == f"{folder.resolve()}/a.nii.gz"


def test_label_info_is_what_is_stored(store: LocalDatastore) -> None:
    """`get_label_info` gives the stored info and nothing else."""
    info = store.get_label_info("a", "final")
    assert info == {"client_id": "ann", "ts": info["ts"], "name": "a.nii.gz"}


def test_labels_by_image_id(store: LocalDatastore) -> None:
    """An image's labels are given as `{tag: id}`; a label's id is its image's, `""` where there is none."""
    assert store.get_labels_by_image_id("a") == {"original": "a", "final": "a"}
    assert store.get_labels_by_image_id("b") == {} == store.get_labels_by_image_id("unknown")
    assert store.get_label_by_image_id("a", "final") == "a"
    assert store.get_label_by_image_id("b", "final") == "" == store.get_label_by_image_id("unknown", "final")


def test_datalist_pairs_images_with_final_labels(store: LocalDatastore, source: Source, folder: Path) -> None:
    """`datalist()` gives real paths of the images with a `final` label; those of other tags are left out."""
    store.save_label("b", source("x.nii.gz"), "original", {})
    assert store.datalist() == [{"image": f"{folder}/a.nii.gz", "label": f"{folder}/labels/final/a.nii.gz"}]


def test_bytes_of_images_and_labels(store: LocalDatastore) -> None:
    """`get_image` and `get_label` give an `io.BytesIO` of the whole file, None for the unknown."""
    image, label = store.get_image("a"), store.get_label("a", "final")
    assert isinstance(image, io.BytesIO) and image.read() == b"image a"
    assert isinstance(label, io.BytesIO) and label.read() == b"label a"
    assert store.get_image("unknown") is None
    assert store.get_label("a", "unknown") is None and store.get_label("unknown", "final") is None


def test_paths_of_images_and_labels(store: LocalDatastore, folder: Path) -> None:
    """`get_image_uri` and `get_label_uri` give real paths, `""` for the unknown."""
    assert store.get_image_uri("a") == f"{folder}/a.nii.gz"
    assert store.get_label_uri("a", "original") == f"{folder}/labels/original/a.nii.gz"
    assert store.get_image_uri("unknown") == ""
    assert store.get_label_uri("a", "unknown") == "" == store.get_label_uri("unknown", "final")


def test_infos_of_the_unknown_are_empty(store: LocalDatastore) -> None:
    """Infos of what is not there are empty dictionaries."""
    assert store.get_image_info("unknown") == {}
    assert store.get_label_info("a", "unknown") == {} == store.get_label_info("unknown", "final")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s, file: s.save_label("unknown", file, "final", {}), id="save_label"),
        pytest.param(lambda s, file: s.remove_image("unknown"), id="remove_image"),
        pytest.param(lambda s, file: s.update_image_info("unknown", {"k": 1}), id="update_image_info"),
    ],
)
def test_changes_of_an_unknown_image(
    store: LocalDatastore, source: Source, change: Callable[[LocalDatastore, str], None]
) -> None:
    """A change of an image that is not there raises ImageNotFoundException with its id, and changes nothing."""
    before = store.json()
    with pytest.raises(ImageNotFoundException, match="unknown"):
        change(store, source("x.nii.gz"))
    assert store.json() == before


@pytest.mark.parametrize(("label", "tag"), [("a", "unknown"), ("b", "final"), ("unknown", "final")])
def test_update_of_an_unknown_label(store: LocalDatastore, label: str, tag: str) -> None:
    """`update_label_info` of a label that is not there raises LabelNotFoundException and changes nothing."""
    before = store.json()
    with pytest.raises(LabelNotFoundException):
        store.update_label_info(label, tag, {"k": 1})
    assert store.json() == before


def test_removing_an_unknown_label_does_nothing(store: LocalDatastore) -> None:
    """`remove_label` of what is not there is no error and changes nothing."""
    before = store.json()
    for label, tag in (("a", "unknown"), ("b", "final"), ("unknown", "final")):
        assert store.remove_label(label, tag) is None  # type: ignore[func-returns-value]
    assert store.json() == before


@pytest.mark.parametrize("given", ["", None])
def test_an_image_without_id_takes_its_files_name(store: LocalDatastore, source: Source, given: str) -> None:
    """`add_image` without an id takes the file's base name without its extension."""
    assert store.add_image(given, source("case_7.nii.gz", b"seven"), {}) == "case_7"
    assert store.get_image("case_7").read() == b"seven"


def test_changes_give_the_id_and_take_effect(store: LocalDatastore, source: Source, folder: Path) -> None:
    """Adding and saving give the id; removing a label or image takes its files out of sight."""
    assert store.add_image("c", source("whatever.nii"), {}) == "c"
    assert store.save_label("c", source("seg.nii"), "final", {}) == "c"
    assert sorted(store.list_images()) == ["a", "b", "c"]
    store.remove_label("a", "original")
    assert store.get_labels_by_image_id("a") == {"final": "a"}
    assert not (folder / "labels" / "original" / "a.nii.gz").exists()
    store.remove_image("a")
    assert sorted(store.list_images()) == ["b", "c"] and "a" not in store.json()["objects"]
    assert not (folder / "a.nii.gz").exists() and not (folder / "labels" / "final" / "a.nii.gz").exists()


def test_updates_merge_into_the_info(store: LocalDatastore) -> None:
    """Updating adds and replaces keys; the others stay."""
    store.update_image_info("a", {"dice": 0.9, "modality": "MR"})
    store.update_label_info("a", "final", {"segmentationMeta": {"status": "approved"}})
    image, label = store.get_image_info("a"), store.get_label_info("a", "final")
    assert (image["dice"], image["modality"], image["name"]) == (0.9, "MR", "a.nii.gz")
    assert (label["segmentationMeta"], label["client_id"]) == ({"status": "approved"}, "ann")


def test_ts_and_name_lie_over_the_callers_info(store: LocalDatastore, source: Source) -> None:
    """`ts` is the time in whole seconds and `name` the stored file's, whatever the caller says of them."""
    before = int(time.time())
    store.add_image("c", source("x.nii.gz"), {"ts": 1, "name": "else", "kept": True})
    store.save_label("c", source("y.nii"), "final", {"ts": 1, "name": "else", "kept": True})
    for info, name in ((store.get_image_info("c"), "c.nii.gz"), (store.get_label_info("c", "final"), "c.nii")):
        assert type(info["ts"]) is int and before <= info["ts"] <= time.time()
        assert (info["name"], info["kept"]) == (name, True)


def test_the_name_is_standardized(store: LocalDatastore, folder: Path) -> None:
    """`set_name` keeps a name in lowercase without spaces; name and description are in the document."""
    store.set_name("Liver CT")
    store.set_description("All livers")
    assert (store.name(), store.description()) == ("liver-ct", "All livers")
    assert (document(folder)["name"], document(folder)["description"]) == ("liver-ct", "All livers")


def test_a_tag_may_be_the_enum(store: LocalDatastore, source: Source, folder: Path) -> None:
    """DefaultLabelTag.FINAL stands for `final` wherever a tag is asked for."""
    store.save_label("b", source("x.nii.gz", b"enum"), DefaultLabelTag.FINAL, {})
    assert (folder / "labels" / "final" / "b.nii.gz").read_bytes() == b"enum"
    assert store.get_label("b", DefaultLabelTag.FINAL).read() == b"enum"
    assert store.get_labeled_images(DefaultLabelTag.FINAL) == ["a", "b"]
    assert json.dumps(list(store.get_labels_by_image_id("b"))) == '["final"]'


def test_a_path_may_be_a_path(open_store: Open, folder: Path) -> None:
    """Sources may be given as `os.PathLike`, and the datastore's folder as a relative path."""
    (folder / "x.nii").write_bytes(b"x")
    here = os.getcwd()
    os.chdir(folder.parent)
    try:
        store = open_store("relative")
    finally:
        os.chdir(here)
    assert store.add_image("p", folder / "x.nii", {}) == "p"
    assert store.get_image_uri("p") == f"{folder.parent}/relative/p.nii"
