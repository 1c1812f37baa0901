"""Subclasses LocalDatastore as MONAI Label's own stores do, and tells which public methods its own methods ask."""

import functools
import os
import zipfile
from typing import Any

from monailabel.datastore.local import LocalDatastore

from .calls import attempt

OVERRIDDEN = (
    "_to_id",
    "_filename",
    "datalist",
    "get_image_uri",
    "get_label_uri",
    "get_labeled_images",
    "list_images",
)


def _tracing(name: str) -> Any:
    original = getattr(LocalDatastore, name)

    @functools.wraps(original)
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        self.asked.append(name)
        return original(self, *arguments, **options)

    return method


class Traced(LocalDatastore):
    """Notes which of the methods that subclasses override are called."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.asked: list[str] = []
        super().__init__(*arguments, **options)

    def ask(self, method: str, *arguments: Any) -> list[str]:
        """Call a method and give the others that it asked."""
        self.asked.clear()
        attempt(getattr(self, method), *arguments)
        return sorted(set(self.asked) - {method})


for _name in OVERRIDDEN:
    setattr(Traced, _name, _tracing(_name))


def traced(folder: str, steps: list[list[Any]]) -> list[list[str]]:
    """Give, for each step, the overridable methods that it asked."""
    store = Traced(folder)
    return [store.ask(*step) for step in steps]


class Elsewhere(LocalDatastore):
    """Has its images and labels elsewhere, shows some of its images only, and cuts ids in a way of its own."""

    elsewhere = ""

    def _to_id(self, file: str) -> tuple[str, str]:
        return file.split("--")[0], ".bin" if file.endswith(".bin") else ".nii.gz"

    def get_image_uri(self, image_id: str) -> str:
        return self.elsewhere

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        return self.elsewhere

    def list_images(self, *arguments: Any, **options: Any) -> list[str]:
        return ["one", "two", "three", "four"]

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        return ["one", "two", "three"]

    def datalist(self, full_path: bool = True, **options: Any) -> list[dict[str, Any]]:
        return [{"image": self.elsewhere, "label": self.elsewhere}]


def overridden(folder: str, elsewhere: str, source: str) -> dict[str, Any]:
    """Tell what the inherited methods give when those that they ask are overridden."""
    store = Elsewhere(folder)
    store.elsewhere = elsewhere
    return {
        "added": store.add_image("", source, {}),
        "saved": store.save_label("case", source, "final", {}),
        "file": os.listdir(store._datastore.label_path("final")),
        "image": attempt(store.get_image, "case"),
        "label": attempt(store.get_label, "case", "final"),
        "status": attempt(store.status),
        "archived": _archived(store),
        "image_path": os.path.realpath(store._datastore.image_path()),
        "label_path": os.path.realpath(store._datastore.label_path("final")),
        "tag_path": os.path.realpath(store._datastore.label_path("x")),
    }


def _archived(store: LocalDatastore) -> list[str]:
    path = store.get_dataset_archive(None)
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
    os.unlink(path)
    return names
