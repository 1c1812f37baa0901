"""What MONAI Label's stores that build on LocalDatastore count on: inner calls go through the public methods."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore, LocalDatastoreModel

Source = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a labelled image and one without."""
    folder = tmp_path / "studies"
    (folder / "labels" / "final").mkdir(parents=True)
    for name in ("a.nii.gz", "b.nii.gz", "labels/final/a.nii.gz"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_status_asks_the_lists(folder: Path) -> None:
    """`status()` counts what `list_images()` and `get_labeled_images()` of the subclass give."""

    class Counting(LocalDatastore):
        def list_images(self, *args: Any, **kwargs: Any) -> list[str]:
            return ["a", "b", "remote"]

        def get_labeled_images(self, *args: Any, **kwargs: Any) -> list[str]:
            return ["a", "remote"]

    with Counting(str(folder)) as store:
        assert store.status() == {"total": 3, "completed": 2, "label_tags": {"final": 1}}


def test_bytes_come_from_where_the_paths_say(folder: Path, tmp_path: Path) -> None:
    """`get_image` and `get_label` read the file that the subclass's `get_image_uri` and `get_label_uri` name."""
    (tmp_path / "cached").write_bytes(b"fetched from afar")

    class Remote(LocalDatastore):
        def get_image_uri(self, image_id: str) -> str:
            return str(tmp_path / "cached")

        def get_label_uri(self, label_id: str, label_tag: str) -> str:
            return str(tmp_path / "cached")

    with Remote(str(folder)) as store:
        assert store.get_image("a").read() == b"fetched from afar"
        assert store.get_label("a", "final").read() == b"fetched from afar"


def test_removing_a_label_asks_for_its_path(folder: Path) -> None:
    """`remove_label` asks the subclass's `get_label_uri`, as `remove_image` does for each label."""
    asked: list[tuple[str, str]] = []

    class Asking(LocalDatastore):
        def get_label_uri(self, label_id: str, label_tag: str) -> str:
            asked.append((label_id, label_tag))
            return super().get_label_uri(label_id, label_tag)

    with Asking(str(folder)) as store:
        asked.clear()
        store.remove_label("a", "final")
        assert asked == [("a", "final")]
        assert store.get_labels_by_image_id("a") == {} and not (folder / "labels" / "final" / "a.nii.gz").exists()


def test_the_archive_asks_the_datalist(folder: Path, tmp_path: Path) -> None:
    """The archive holds the files that the subclass's `datalist()` names."""
    (tmp_path / "from afar.nii").write_bytes(b"from afar")

    class Listing(LocalDatastore):
        def datalist(self, full_path: bool = True) -> list[dict[str, Any]]:
            return [{"image": str(tmp_path / "from afar.nii"), "label": str(folder / "labels/final/a.nii.gz")}]

    with Listing(str(folder)) as store, zipfile.ZipFile(store.get_dataset_archive(None)) as archive:
        assert archive.read("image/from afar.nii") == b"from afar"
        assert archive.read("label/a.nii.gz") == b"labels/final/a.nii.gz"


def test_ids_and_names_are_the_subclasss(folder: Path, source: Source) -> None:
    """Adding and saving split and make names by the subclass's `_to_id` and `_filename`."""

    class Upper(LocalDatastore):
        def _to_id(self, file: str) -> tuple[str, str]:
            name, extension = os.path.splitext(file)
            return name.upper(), extension

        def _filename(self, id: str, ext: str) -> str:
            return f"{id}{ext}"

    with Upper(str(folder)) as store:
        assert store.add_image("", source("case.7.dat", b"i"), {}) == "CASE.7"
        store.save_label("CASE.7", source("mask.seg.nrrd", b"l"), "final", {})
        assert (folder / "CASE.7.dat").read_bytes() == b"i"
        assert (folder / "labels" / "final" / "CASE.7.nrrd").read_bytes() == b"l"


def test_a_series_without_extension(folder: Path, tmp_path: Path) -> None:
    """A store whose images are remote can override `_to_id` to give no extension, as the DICOMweb store does."""

    class Series(LocalDatastore):
        def _to_id(self, file: str) -> tuple[str, str]:
            return file.split(".nii")[0], ".nii.gz" if ".nii" in file else ""

    with Series(str(folder)) as store:
        assert store.list_images() == ["a", "b"]
        (tmp_path / "1.2.840").write_bytes(b"series")
        assert store.add_image("", str(tmp_path / "1.2.840"), {}) == "1.2.840"
        assert store.get_image("1.2.840").read() == b"series"


def test_the_model_is_there_for_its_paths(folder: Path) -> None:
    """`_datastore` is a model of the document; its paths of images and labels are where the files lie."""
    with LocalDatastore(str(folder), labels_dir="masks") as store:
        model = store._datastore
        assert isinstance(model, LocalDatastoreModel)
        assert os.path.realpath(model.image_path()) == str(folder)
        assert os.path.realpath(model.label_path("final")) == str(folder / "masks" / "final")
        assert os.path.isdir(model.label_path(None))


def test_overridden_methods_reach_the_real_ones(folder: Path, source: Source) -> None:
    """Methods that a subclass overrides and passes on to super() work as they do without it."""

    class Passing(LocalDatastore):
        def add_image(self, image_id: Any, image_filename: Any, image_info: Any) -> str:
            return super().add_image(image_id, image_filename, {**image_info, "via": "subclass"})

        def save_label(self, image_id: str, label_filename: Any, label_tag: str, label_info: Any) -> str:
            return super().save_label(image_id, label_filename, label_tag, {**label_info, "via": "subclass"})

        def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
            return super().get_labeled_images(label_tag, labels)

        def datalist(self, full_path: bool = True) -> list[dict[str, Any]]:
            return super().datalist(full_path)

    with Passing(str(folder)) as store:
        store.add_image("c", source("c.nii.gz"), {})
        store.save_label("c", source("l.nii.gz"), "final", {})
        assert store.get_image_info("c")["via"] == "subclass" == store.get_label_info("c", "final")["via"]
        assert store.get_labeled_images() == ["a", "c"]
        assert [os.path.basename(d["image"]) for d in store.datalist(False)] == ["a.nii.gz", "c.nii.gz"]
